-- title: DNS tunnel
-- class: circumvention
-- states: {subject} ({group}) asked for {names:name} below {domain} in {window} to {to}, {characters} characters each on average, {carrier_percent} %
--   of record types {types}, about {kilobytes} kB in the names alone; {replied_percent} % were answered with records. By behaviour.
-- states relayed: {subject}, a resolver, asked for {names:name} below {domain} in {window} to {to}, {characters} characters each on average,
--   {carrier_percent} % of record types {types}, about {kilobytes} kB in the names alone; who asked it was not seen. By behaviour.
-- states many: {clients:host} asked for {names} or more names each below {domain} in {window} to {to}, as through a DNS tunnel; so many
--   hosts are rather a program of the site's, or forged senders. None of them is named on its own. By behaviour.
-- subject: host
-- severity: high
-- clause: S11, L K5
-- window: 5m
-- step: 1m
-- lookback: 0s
-- reads: dns
-- needs dns: transport IN ('udp', 'tcp')
--   AND (qtype IN (5, 10, 15, 16, 25, 33) OR qtype BETWEEN 65280 AND 65534 OR length(qname) >= 52)
-- rests_on: presence
-- parameter names_min: 100 | [D] | different names below one registered domain
-- parameter carrier_share: 0.5 | [D] | part of them asked for with types that carry text or data
-- parameter carrier_label: 7 | [D] | mean length of the longest label, of those; not asked of types that nothing else uses
-- parameter label_min: 30 | [D] | mean length of the longest label, where the types are ordinary
-- parameter data_min: 45 | [D] | mean characters before the registered domain, where the types are ordinary
-- parameter replied_share: 0.5 | [D] | part of the names that was answered with records other than 127.0.0.0/8, as look-ups of reputation are
-- parameter data_alone: 100 | [D] | mean characters that are enough whatever was answered
-- parameter many_hosts: 10 | [D] | hosts below one domain that are no longer single tunnels
WITH
-- CNAME, MX, TXT, KEY, SRV; those that only tunnels ask for: NULL and private ones (RFC 1035, RFC 6895).
[5, 15, 16, 25, 33] AS carriers,
arrayConcat([10], range(65280, 65535)) AS odd,
-- Hosts with as many such questions in all: most have few, and nothing more is looked at.
(
    SELECT groupArray(client)
    FROM
    (
        SELECT client FROM dns
        WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
            AND (qtype IN (5, 10, 15, 16, 25, 33) OR qtype BETWEEN 65280 AND 65534 OR length(qname) >= 52)
            AND transport IN ('udp', 'tcp')
        GROUP BY client HAVING count() >= {names_min:Float64}
    )
) AS suspects,
rows AS
(
    SELECT
        site, client, `group`, ts, server, qname, qtype, rcode, sensor,
        -- An octet that is no letter stands as \DDD.
        splitByChar('.', replaceRegexpAll(qname, '\\\\[0-9]{3}', '_')) AS labels,
        -- For a name, not a URL: what is no letter, digit or hyphen ends a host.
        cutToFirstSignificantSubdomain(replaceRegexpAll(arrayStringConcat(arraySlice(labels, -4), '.'), '[^a-z0-9.-]', 'x')) AS domain,
        arraySlice(labels, 1, length(labels) - length(splitByChar('.', domain))) AS below,
        arraySum(arrayMap(label -> length(label), below)) AS data,
        arrayMax(arrayMap(label -> length(label), below)) AS longest,
        ifNull(rcode, 1) = 0 AND (empty(addresses) OR arrayExists(a -> NOT a BETWEEN toIPv6('::ffff:127.0.0.0') AND toIPv6('::ffff:127.255.255.255'), addresses))
            AND (notEmpty(addresses) OR notEmpty(answers) OR min_ttl IS NOT NULL) AS replied
    FROM dns
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND (qtype IN (5, 10, 15, 16, 25, 33) OR qtype BETWEEN 65280 AND 65534 OR length(qname) >= 52)
        AND client IN (SELECT arrayJoin(suspects))
        AND transport IN ('udp', 'tcp') AND NOT endsWith(qname, '.arpa')
        -- Anti-virus, mail and web reputation are asked by DNS, in hashes.
        AND service != 'Reputation look-ups' AND NOT has({sanctioned_services:Array(String)}, service)
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
),
steps AS
(
    SELECT
        site, client, domain, toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        min(`group`) AS step_group,
        uniqExactState(sipHash64(qname)) AS names_state,
        count() AS step_rows,
        countIf(has(carriers, qtype)) AS step_carriers,
        countIf(has(odd, qtype)) AS step_odd,
        countIf(replied) AS step_replied,
        sum(data) AS step_data,
        sum(longest) AS step_longest,
        groupUniqArray(qtype) AS step_types,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, client, server, qname, qtype, rcode, sensor)) AS samples
    FROM rows
    WHERE data > 0 AND domain != ''
    GROUP BY site, client, domain, step
),
windows AS
(
    SELECT
        site, client, domain, step, step_group, samples,
        uniqExactMerge(names_state) OVER w AS names,
        sum(step_rows) OVER w AS asked,
        sum(step_carriers) OVER w / asked AS carrier_part,
        sum(step_odd) OVER w / asked AS odd_part,
        sum(step_replied) OVER w / asked AS replied_part,
        sum(step_data) OVER w AS data,
        sum(step_longest) OVER w / asked AS label,
        groupUniqArrayArray(step_types) OVER w AS types,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client, domain ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
past AS
(
    SELECT *, data / asked AS characters
    FROM windows
    WHERE names >= {names_min:Float64}
        AND
        (
            odd_part >= {carrier_share:Float64} AND replied_part > 0
            OR carrier_part + odd_part >= {carrier_share:Float64} AND label >= {carrier_label:Float64} AND replied_part >= {replied_share:Float64}
            OR characters >= {data_min:Float64} AND label >= {label_min:Float64} AND replied_part >= {replied_share:Float64}
            OR characters >= {data_alone:Float64}
        )
),
told AS
(
    SELECT
        *,
        has({resolvers:Array(IPv6)}, client) OR (site, client) IN (
            SELECT site, server FROM dns
            WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
                AND transport IN ('udp', 'tcp') AND ra AND server IN (SELECT client FROM past)) AS relays,
        countIf(NOT relays) OVER (PARTITION BY site, domain, step) AS hosts
    FROM past
)
SELECT
    site, step, `from`, `to`, 'host' AS subject_kind, toString(client) AS subject, if(relays, 'relayed', '') AS variant,
    names / {names_min:Float64} AS strength,
    map('names', toFloat64(names), 'questions', toFloat64(asked), 'characters', round(characters, 1), 'longest_label', round(label, 1),
        'carrier_percent', round(100 * (carrier_part + odd_part)), 'replied_percent', round(100 * replied_part), 'kilobytes', round(data / 1000, 1)) AS inputs,
    map('group', if(step_group = '', 'no group', toString(step_group)), 'domain', domain,
        'types', arrayStringConcat(arrayMap(t -> transform(t, [1, 5, 10, 15, 16, 28, 33, 65], ['A', 'CNAME', 'NULL', 'MX', 'TXT', 'AAAA', 'SRV', 'HTTPS'], toString(t)), arraySlice(arraySort(types), 1, 8)), ', ')) AS texts,
    if(odd_part >= {carrier_share:Float64}, 95, 85) AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM told
WHERE hosts < {many_hosts:Float64} AND (NOT relays OR hosts = 0)
UNION ALL
SELECT
    site, step, min(`from`) AS `from`, max(`to`) AS `to`, 'name' AS subject_kind, domain AS subject, 'many' AS variant,
    toFloat64(max(hosts)) AS strength,
    map('clients', toFloat64(max(hosts)), 'names', toFloat64(min(names))) AS inputs,
    map('domain', domain) AS texts,
    70 AS confidence,
    arrayMap(s -> toJSONString(s), arraySlice(arraySort(groupArrayArray(told.samples)), 1, 10)) AS samples
FROM told
WHERE hosts >= {many_hosts:Float64} AND NOT relays
GROUP BY site, step, domain
