-- title: TLS with made-up names
-- class: circumvention
-- states: {subject} ({group}) opened TLS connections to {peers:address} outside in {window} to {to} under {names:name} that look made up, that were
--   used once each and that nobody at the site asked DNS for ({name_list}), as Tor does. By behaviour.
-- subject: host
-- severity: medium
-- clause: S11, L K5
-- window: 1h
-- step: 5m
-- lookback: 1h
-- reads: flows, dns
-- needs flows: application = 'tls' AND name_source = 'sni' AND alpn = '' AND startsWith(server_name, 'www.')
--   AND match(server_name, '^www\\.[a-z2-7]{4,25}\\.(com|net)$')
-- needs dns: false
-- rests_on: absence
-- parameter names_min: 2 | [D] | different names that look made up
-- parameter name_bits: 2 | [D] | what the letters of a name say for chance and against words, in bits, from which on it looks made up
-- parameter bits_min: 25 | [D] | what the letters of all of them say together; more than half of the names that such connections went to must look so
-- parameter asked_min: 3 | [D] | names that the site was seen to ask for: without any, the mirror does not see its DNS
WITH
-- Connections under names of Tor's form, without ALPN, of hosts whose names are odd enough together.
(
    SELECT groupArray((site, client, server, server_port, server_name, start, step_group, sensor, flow_id, bytes_down, bits))
    FROM
    (
        SELECT
            *,
            sumIf(bits, bits >= {name_bits:Float64}) OVER (PARTITION BY site, client) AS client_bits,
            -- Tor makes a new name for each connection.
            uniqExact((client, client_port)) OVER (PARTITION BY site, server_name) AS used
        FROM
        (
            SELECT
                toString(site) AS site, client, client_port, server, server_port, server_name, start, toString(`group`) AS step_group,
                toString(sensor) AS sensor, flow_id, bytes_down,
                -- Tenths of log2 of a character's chance among 32 over that in names, which are taken for nine parts English
                -- letters (Lewand) and one part of any letter or digit.
                arraySum(
                    c -> [-13, 9, 2, -4, -19, 5, 6, -9, -11, 29, 17, -3, 4, -10, -12, 6, 31, -9, -9, -14, 2, 14, 4, 29, 6, 32, 35, 35, 35, 35, 35, 35]
                        [position('abcdefghijklmnopqrstuvwxyz234567', c)],
                    splitByString('', substring(toString(server_name), 5, length(server_name) - 8))) / 10 AS bits
            FROM flows
            WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
                AND application = 'tls' AND name_source = 'sni' AND alpn = '' AND start = first AND packets_down > 2 AND service = '' AND empty(categories)
                -- `www.`, 4 to 25 letters and digits of base32, `.com` (tor/src/lib/tls/tortls_openssl.c, tor_tls_new).
                AND startsWith(server_name, 'www.') AND match(server_name, '^www\\.[a-z2-7]{4,25}\\.(com|net)$')
                AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
                AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        )
    )
    WHERE used = 1 AND client_bits >= {bits_min:Float64}
) AS found,
named AS
(
    SELECT f.1 AS site, f.2 AS client, f.3 AS server, f.4 AS server_port, f.5 AS server_name, f.6 AS start, f.7 AS step_group, f.8 AS sensor,
        f.9 AS flow_id, f.10 AS bytes_down, f.11 AS bits
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
        min(step_group) AS step_group,
        groupUniqArray((server_name, bits)) AS step_names,
        groupUniqArrayIf(server, odd) AS step_peers,
        min(start) AS seen, max(start) AS seen_last,
        groupArraySortedIf(10)(tuple(start, client, server, server_port, server_name, bytes_down, sensor, flow_id), odd) AS samples
    FROM (SELECT *, bits >= {name_bits:Float64} AS odd FROM named)
    WHERE (site, server_name) NOT IN (SELECT site, qname FROM asked) AND site IN (SELECT site FROM sites)
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step, step_group, samples,
        groupUniqArrayArray(step_names) OVER w AS every,
        arrayFilter(n -> n.2 >= {name_bits:Float64}, every) AS names,
        groupUniqArrayArray(step_peers) OVER w AS peers,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    arraySum(n -> round(10 * n.2), names) / 10 AS bits,
    bits / {bits_min:Float64} AS strength,
    map('names', toFloat64(length(names)), 'peers', toFloat64(length(peers)), 'bits', bits, 'others', toFloat64(length(every) - length(names))) AS inputs,
    map('group', if(step_group = '', 'no group', step_group), 'name_list', arrayStringConcat(arraySlice(arraySort(n -> n.1, names).1, 1, 5), ', ')) AS texts,
    75 AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE length(names) >= {names_min:Float64} AND bits >= {bits_min:Float64} AND 2 * length(names) > length(every)
