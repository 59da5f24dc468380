-- title: Stealth scan
-- class: scanning
-- states: {subject} sent {kinds} segments, which no connection begins with, to {tried:pair} of host and port in
--   {window} to {to}.
-- states lone: {subject} sent {kinds} segments of connections that were never opened to {tried:port} below 1024 of
--   {victim} in {window} to {to}.
-- subject: host
-- severity: high
-- clause: S9, L K15
-- window: 1m
-- step: 10s
-- lookback: 0s
-- reads: flows
-- needs flows: protocol = 6 AND packets_up > 0 AND (bitAnd(flags_up, 63) IN (0, 1, 41) OR bitAnd(flags_up, 23) = 3
--   OR bitAnd(flags_up, 63) IN (16, 17) AND start = first AND packets_up <= 2 AND payload_up = 0 AND payload_down = 0 AND server_port < 1024)
-- rests_on: presence
-- parameter targets: 5 | [D] | pairs of host and port
-- parameter lone_ports: 20 | [D] | ports below 1024 of one host for segments that a connection may hold, but not begin with
WITH
odd AS
(
    SELECT
        site, client, start,
        multiIf(
            bitAnd(flags_up, 63) = 0, 'NULL',
            bitAnd(flags_up, 63) = 1, 'FIN',
            bitAnd(flags_up, 63) = 41, 'XMAS',
            bitAnd(flags_up, 63) = 16, 'ACK',
            bitAnd(flags_up, 63) = 17, 'FIN+ACK',
            'SYN+FIN') AS kind,
        kind IN ('ACK', 'FIN+ACK') AS lone,
        -- A lone ACK is told by the many ports of one host.
        if(lone, server, toIPv6('::')) AS victim,
        (server, server_port) AS target,
        tuple(start, client, client_port, server, server_port, flags_up, state, sensor, flow_id) AS sample
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND protocol = 6 AND packets_up > 0
        AND
        (
            -- Neither RST nor ACK: none of these opens, carries or ends a connection (RFC 9293, 3.10.7).
            bitAnd(flags_up, 63) IN (0, 1, 41) OR bitAnd(flags_up, 23) = 3
            -- A connection that went on while nobody looked sends these to ports of services, but to few.
            OR bitAnd(flags_up, 63) IN (16, 17) AND start = first AND packets_up <= 2 AND payload_up = 0
                AND payload_down = 0 AND bitAnd(flags_down, 251) = 0 AND server_port < 1024
        )
        AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
),
steps AS
(
    SELECT
        site, client, lone, victim,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        uniqState(target) AS targets_state,
        groupUniqArray(kind) AS step_kinds,
        min(start) AS seen, max(start) AS seen_last,
        groupArraySorted(10)(sample) AS samples
    FROM odd
    GROUP BY site, client, lone, victim, step
),
windows AS
(
    SELECT
        site, client, lone, victim, step,
        arraySlice(arraySort(groupArrayArray(samples) OVER w), 1, 10) AS samples,
        uniqMerge(targets_state) OVER w AS tried,
        groupUniqArrayArray(step_kinds) OVER w AS kinds,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`,
        if(lone, {lone_ports:Float64}, {targets:Float64}) AS needed
    FROM steps
    WINDOW w AS (PARTITION BY site, client, lone, victim ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject, if(lone, 'lone', '') AS variant,
    tried / needed AS strength,
    map('tried', toFloat64(tried)) AS inputs,
    map('kinds', arrayStringConcat(arraySort(kinds), ' and '), 'victim', toString(victim)) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE tried >= needed
