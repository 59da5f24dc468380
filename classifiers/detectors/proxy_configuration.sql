-- title: Proxy settings handed out by a host
-- class: circumvention
-- states: {subject} answered {clients:host} that looked for a proxy under {name_list} by {transports} in {window} to {to}, {answers:time}, with {address_list}; it
--   is no resolver of the policy. Who answers there decides where browsers send their traffic. By behaviour.
-- states dhcp: {subject} told {clients:host} by DHCP to take proxy settings from {address_list} in {window} to {to}, {answers:time}; it is not on
--   the list of DHCP servers. By behaviour.
-- subject: host
-- severity: high
-- clause: S11, S9d, L K5
-- window: 1h
-- step: 1m
-- lookback: 0s
-- reads: dns, sightings
-- needs dns: startsWith(qname, 'wpad') AND answered
-- needs sightings: source IN ('dhcp_offer', 'dhcp_ack') AND attributes['proxy'] != ''
-- rests_on: presence
-- parameter answers_min: 1 | [K] | answers
WITH
said AS
(
    SELECT
        site, server AS speaker, toString(client) AS asker, ts AS at, '' AS how,
        toString(transport) AS via, qname AS about, arrayStringConcat(arraySlice(arraySort(arrayMap(a -> toString(a), addresses)), 1, 3), ' ') AS given,
        toJSONString(CAST(tuple(ts, client, server, transport, qname, addresses, sensor),
            'Tuple(ts DateTime64(6, ''UTC''), client IPv6, server IPv6, transport String, qname String, addresses Array(IPv6), sensor String)')) AS sample
    FROM dns
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND startsWith(qname, 'wpad') AND (qname IN ('wpad', 'wpad.local') OR startsWith(qname, 'wpad.'))
        AND answered AND notEmpty(addresses)
        -- By name the school itself may do so; nobody has to where names are asked of everybody (RFC 4795, RFC 6762, RFC 1002).
        AND (transport IN ('llmnr', 'nbns', 'mdns') OR notEmpty({resolvers:Array(IPv6)}))
        AND NOT has({resolvers:Array(IPv6)}, server)
        AND NOT hasAny(addresses, {sinkholes:Array(IPv6)})
    UNION ALL
    SELECT
        site, ip AS speaker, attributes['client_mac'] AS asker, ts AS at, 'dhcp' AS how,
        'DHCP' AS via, '' AS about, attributes['proxy'] AS given,
        toJSONString(CAST(tuple(ts, mac, ip, value, attributes, sensor),
            'Tuple(ts DateTime64(6, ''UTC''), mac UInt64, ip IPv6, value String, attributes Map(String, String), sensor String)')) AS sample
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source IN ('dhcp_offer', 'dhcp_ack') AND attributes['proxy'] != ''
        AND notEmpty({approved_dhcp:Array(IPv6)}) AND NOT has({approved_dhcp:Array(IPv6)}, ip)
),
steps AS
(
    SELECT
        site, speaker, how, toStartOfInterval(at, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_answers,
        groupUniqArray(asker) AS step_askers,
        groupUniqArray(via) AS step_via, groupUniqArray(about) AS step_names, groupUniqArray(given) AS step_given,
        min(at) AS seen, max(at) AS seen_last,
        arrayMap(s -> s.2, groupArraySorted(10)((at, sample))) AS samples
    FROM said
    GROUP BY site, speaker, how, step
),
windows AS
(
    SELECT
        site, speaker, how, step, samples,
        sum(step_answers) OVER w AS answers,
        length(groupUniqArrayArray(step_askers) OVER w) AS clients,
        groupUniqArrayArray(step_via) OVER w AS transports,
        groupUniqArrayArray(step_names) OVER w AS names,
        groupUniqArrayArray(step_given) OVER w AS given,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, speaker, how ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(speaker) AS subject, how AS variant,
    toFloat64(answers) AS strength,
    map('answers', toFloat64(answers), 'clients', toFloat64(clients)) AS inputs,
    map('transports', arrayStringConcat(arraySort(transports), ' and '), 'name_list', arrayStringConcat(arraySlice(arraySort(names), 1, 3), ', '),
        'address_list', arrayStringConcat(arraySlice(arraySort(given), 1, 3), ', ')) AS texts,
    samples
FROM windows
WHERE answers >= {answers_min:Float64}
