-- title: TLS with made-up names
-- class: circumvention
-- states: {subject} ({group}) opened TLS connections to {peers:address} outside in {window} to {to} under {names:name} that look made up and that
--   nobody at the site asked DNS for ({name_list}), as Tor does. By behaviour.
-- subject: host
-- severity: medium
-- clause: S11, L K5
-- window: 1h
-- step: 5m
-- lookback: 1h
-- reads: flows, dns
-- rests_on: absence
-- parameter names_min: 2 | [D] | different names
-- parameter vowels_most: 0.34 | [D] | part of a name's letters and digits that vowels are, at most; of made-up ones 16 % are
-- parameter asked_min: 10 | [D] | names that the site was seen to ask for: without any, the mirror does not see its DNS
WITH
(
    SELECT groupArray((toString(site), client, server, server_port, server_name, start, toString(`group`), toString(sensor), flow_id, bytes_down))
    FROM
    (
    SELECT site, client, server, server_port, server_name, start, `group`, sensor, flow_id, bytes_down
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
        AND application = 'tls' AND name_source = 'sni' AND start = first AND packets_down > 2 AND service = '' AND empty(categories)
        AND length(server_name) BETWEEN 16 AND 33 AND startsWith(server_name, 'www.')
        AND server_name IN
        (
            SELECT DISTINCT server_name
            FROM flows
            WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
                AND name_source = 'sni' AND length(server_name) BETWEEN 16 AND 33 AND startsWith(server_name, 'www.')
                -- `www.`, 4 to 25 letters and digits of base32, `.com` (tor/src/lib/tls/tortls.c); shorter ones may be words.
                AND match(server_name, '^www\\.[a-z2-7]{8,25}\\.(com|net)$')
                -- A digit between letters, and four in a row that are no vowels: most made-up names have both.
                AND match(server_name, '[a-z][2-7][a-z]') AND match(server_name, '[b-df-hj-np-tv-z2-7]{4}')
                AND length(replaceRegexpAll(server_name, '[^aeiou]', '')) - 1 <= {vowels_most:Float64} * (length(server_name) - 8)
        )
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
    )
) AS found,
named AS
(
    SELECT f.1 AS site, f.2 AS client, f.3 AS server, f.4 AS server_port, f.5 AS server_name, f.6 AS start, f.7 AS `group`, f.8 AS sensor,
        f.9 AS flow_id, f.10 AS bytes_down
    FROM (SELECT arrayJoin(found) AS f)
),
asked AS
(
    SELECT DISTINCT toString(site) AS site, qname FROM dns
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND startsWith(qname, 'www.') AND qname IN (SELECT server_name FROM named)
),
sites AS
(
    SELECT toString(dns.site) AS site FROM dns
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')} AND transport IN ('udp', 'tcp')
        AND dns.site IN (SELECT site FROM named)
    GROUP BY dns.site
    HAVING uniq(qname) >= {asked_min:Float64}
),
steps AS
(
    SELECT
        site, client, toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        min(`group`) AS step_group,
        groupUniqArray(server_name) AS step_names,
        groupUniqArray(toString(server)) AS step_peers,
        min(start) AS seen, max(start) AS seen_last,
        groupArraySorted(10)(tuple(start, client, server, server_port, server_name, bytes_down, sensor, flow_id)) AS samples
    FROM named
    WHERE (site, server_name) NOT IN (SELECT site, qname FROM asked) AND site IN (SELECT site FROM sites)
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step, step_group, samples,
        groupUniqArrayArray(step_names) OVER w AS names,
        groupUniqArrayArray(step_peers) OVER w AS peers,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    length(names) / {names_min:Float64} AS strength,
    map('names', toFloat64(length(names)), 'peers', toFloat64(length(peers))) AS inputs,
    map('group', if(step_group = '', 'no group', toString(step_group)), 'name_list', arrayStringConcat(arraySlice(arraySort(names), 1, 5), ', ')) AS texts,
    75 AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE length(names) >= {names_min:Float64}
