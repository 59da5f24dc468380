-- title: UDP port scan
-- class: scanning
-- states: {subject} sent UDP to {tried:port} of {victim} without an answer in {window} to {to}; {refused:message}
--   that a port can't be reached came back.
-- subject: host
-- severity: medium
-- clause: S9, L K15
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: protocol = 17 AND state = 'S0' AND packets_up > 0 AND NOT (server_port BETWEEN 33434 AND 33534)
--   OR protocol = 1 AND client_port = 3 OR protocol = 58 AND client_port = 1
-- rests_on: absence
-- parameter ports: 15 | [D] | ports of one host without an answer
-- parameter unreachables: 3 | [D] | ICMP messages that say so (RFC 792, type 3; RFC 4443, type 1)
-- parameter silent_ports: 50 | [D] | ports that are enough without such messages
SELECT scanner FROM
(
    SELECT client AS scanner
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND protocol = 17 AND state = 'S0' AND packets_up > 0 AND NOT (server_port BETWEEN 33434 AND 33534)
        AND application NOT IN ('rtp', 'bittorrent', 'gnutella', 'ethereum')
    GROUP BY scanner, server
    HAVING uniq(server_port) >= least({ports:Float64}, {silent_ports:Float64})
)
WHERE NOT arrayExists((a, b) -> scanner BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
;
WITH
steps AS
(
    SELECT
        site,
        -- The message that a port can't be reached comes from the victim.
        if(protocol = 17, client, server) AS scanner,
        if(protocol = 17, server, client) AS victim,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        uniqStateIf(server_port, protocol = 17) AS ports_state,
        sumIf(packets_up, protocol != 17) AS refusals,
        min(start) AS seen, max(start) AS seen_last,
        groupArraySortedIf(10)(tuple(start, client, client_port, server, server_port, protocol, state, sensor, flow_id),
            protocol = 17) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND if(protocol = 17, client, server) IN {suspects:Array(IPv6)}
        AND
        (
            -- Traceroute counts its ports up from 33434.
            protocol = 17 AND state = 'S0' AND packets_up > 0 AND NOT (server_port BETWEEN 33434 AND 33534)
                AND application NOT IN ('rtp', 'bittorrent', 'gnutella', 'ethereum')
            OR protocol = 1 AND client_port = 3
            OR protocol = 58 AND client_port = 1
        )
    GROUP BY site, scanner, victim, step
),
windows AS
(
    SELECT
        site, scanner, victim, step,
        arraySlice(arraySort(groupArrayArray(samples) OVER w), 1, 10) AS samples,
        uniqMerge(ports_state) OVER w AS tried,
        sum(refusals) OVER w AS refused,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, scanner, victim ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(scanner) AS subject,
    tried / {ports:Float64} AS strength,
    map('tried', toFloat64(tried), 'refused', toFloat64(refused)) AS inputs,
    map('victim', toString(victim)) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE tried >= {ports:Float64} AND refused >= {unreachables:Float64} OR tried >= {silent_ports:Float64}
