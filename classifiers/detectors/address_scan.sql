-- title: Address scan
-- class: scanning
-- states: {subject} tried {pairs:pair} of host and port without success in {window} to {to}: {hosts:host}, {unused} of
--   them silent all the time before, on {ports:port} ({port_list}).
-- states outage: {sources} hosts failed together in {window} to {to}, each on {pairs} or more pairs of host and
--   port: an outage, or a scan spread over many hosts. None of them is named on its own.
-- subject: host
-- severity: medium
-- clause: S9, L K15
-- window: 15m
-- step: 1m
-- lookback: 1h
-- reads: flows
-- rests_on: absence
-- parameter outside_pairs: 25 | [S] bro-simple-scan, addresses | failed pairs of a host outside the sites
-- parameter inside_pairs: 50 | [D] | failed pairs of a host inside
-- parameter unused_hosts: 3 | [D] | silent inside hosts tried, from which fewer pairs are enough
-- parameter unused_pairs: 10 | [D] | failed pairs that are enough then
-- parameter few_hosts: 5 | [D] | hosts tried on a port up to which the port is not swept
-- parameter few_ports: 5 | [D] | failed ports of a host past which it is the victim of a port scan, and not counted here
-- parameter udp_weight: 0.5 | [D] | weight of a UDP or echo request without an answer
-- parameter outage_sources: 10 | [D] | hosts failing together that are an outage, not scanners
WITH
silent AS
(
    SELECT
        site, client, server, if(protocol IN (1, 58), 0, server_port) AS port, protocol, start,
        tuple(start, client, client_port, server, server_port, protocol, state, sensor, flow_id) AS sample
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
        AND start < {to:DateTime64(6, 'UTC')}
        -- A name just resolved is followed, not guessed.
        AND server_name = ''
        AND
        (
            protocol = 6 AND state IN ('S0', 'REJ', 'RSTOS0', 'SH')
            OR protocol = 17 AND state = 'S0' AND packets_up > 0 AND application NOT IN
                ('quic', 'stun', 'rtp', 'bittorrent', 'gnutella', 'ethereum', 'ntp', 'mdns', 'ssdp', 'llmnr', 'nbns',
                'dhcp', 'dhcpv6')
            OR (protocol = 1 AND client_port = 8 OR protocol = 58 AND client_port = 128)
                AND packets_up > 0 AND packets_down = 0
        )
        -- Multicast and broadcast have no single host that could answer.
        AND NOT (server BETWEEN toIPv6('::ffff:224.0.0.0') AND toIPv6('::ffff:255.255.255.255'))
        AND server < toIPv6('ff00::')
        AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
),
failed AS
(
    SELECT
        site, client, server, port, protocol,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        min(start) AS seen, max(start) AS seen_last,
        any(sample) AS sample
    FROM silent
    WHERE (client, protocol, port) IN
        (
            SELECT client, protocol, port FROM silent
            GROUP BY client, protocol, port HAVING uniqExact(server) > {few_hosts:Float64}
        )
        AND (client, server) NOT IN
        (
            SELECT client, server FROM silent
            GROUP BY client, server HAVING uniqExact((protocol, port)) > {few_ports:Float64}
        )
    GROUP BY site, client, server, port, protocol, step
),
-- Inside hosts from which a packet was seen, in the window or in the hour before.
used AS
(
    SELECT DISTINCT server AS host
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')} AND packets_down > 0
        AND server IN (SELECT server FROM silent)
    UNION DISTINCT
    SELECT DISTINCT client AS host
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND client IN (SELECT server FROM silent)
),
steps AS
(
    SELECT
        site, client, step,
        uniqExactStateIf((server, port), protocol = 6) AS tcp_state,
        uniqExactStateIf((server, port, protocol), protocol != 6) AS other_state,
        uniqExactState(server) AS hosts_state,
        uniqExactState((protocol, port)) AS ports_state,
        uniqExactStateIf(server, protocol != 17
            AND arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
            AND server NOT IN (SELECT host FROM used)) AS unused_state,
        groupUniqArray(6)(port) AS step_ports,
        min(seen) AS seen, max(seen_last) AS seen_last,
        groupArray(10)(sample) AS samples
    FROM failed
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step, samples,
        uniqExactMerge(tcp_state) OVER w + {udp_weight:Float64} * uniqExactMerge(other_state) OVER w AS pairs,
        uniqExactMerge(hosts_state) OVER w AS hosts,
        uniqExactMerge(ports_state) OVER w AS ports,
        uniqExactMerge(unused_state) OVER w AS unused,
        groupUniqArrayArray(6)(step_ports) OVER w AS port_list,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
limited AS
(
    SELECT
        *,
        if(unused >= {unused_hosts:Float64}, {unused_pairs:Float64},
            if(arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}),
                {inside_pairs:Float64}, {outside_pairs:Float64})) AS needed
    FROM windows
    WHERE pairs >= {unused_pairs:Float64}
),
counted AS
(
    SELECT *, count() OVER (PARTITION BY site, step) AS sources
    FROM limited
    WHERE pairs >= needed
)
SELECT
    site, step, `from`, `to`,
    'host' AS subject_kind, toString(client) AS subject, '' AS variant,
    pairs / needed AS strength,
    map('pairs', toFloat64(pairs), 'hosts', toFloat64(hosts), 'ports', toFloat64(ports), 'unused', toFloat64(unused)) AS inputs,
    map('port_list', arrayStringConcat(arrayMap(port -> if(port = 0, 'echo', toString(port)), arraySort(port_list)), ', ')) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM counted
WHERE sources < {outage_sources:Float64}
UNION ALL
SELECT
    site, step, min(`from`) AS `from`, max(`to`) AS `to`,
    'site' AS subject_kind, site AS subject, 'outage' AS variant,
    toFloat64(any(sources)) AS strength,
    map('sources', toFloat64(any(sources)), 'pairs', toFloat64(min(pairs))) AS inputs,
    map('none', '') AS texts,
    arraySlice(arrayMap(s -> toJSONString(s), groupArrayArray(samples)), 1, 10) AS samples
FROM counted
WHERE sources >= {outage_sources:Float64}
GROUP BY site, step
