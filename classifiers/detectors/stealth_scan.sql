-- title: Stealth scan
-- class: scanning
-- states: {subject} sent {kinds} segments, which no connection begins with, to {tried:pair} of host and port in
--   {window} to {to}.
-- subject: host
-- severity: high
-- clause: S9, L K15
-- window: 1m
-- step: 10s
-- lookback: 0s
-- reads: flows
-- rests_on: presence
-- parameter targets: 5 | [D] | pairs of host and port
WITH
odd AS
(
    SELECT
        site, client, server, server_port, start,
        multiIf(
            bitAnd(flags_up, 63) = 0, 'NULL',
            bitAnd(flags_up, 63) = 1, 'FIN',
            bitAnd(flags_up, 63) = 41, 'XMAS',
            'SYN+FIN') AS kind,
        tuple(start, client, client_port, server, server_port, flags_up, state, sensor, flow_id) AS sample
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND protocol = 6 AND packets_up > 0
        -- Neither RST nor ACK: none of these opens, carries or ends a connection (RFC 9293, 3.10.7).
        AND (bitAnd(flags_up, 63) IN (0, 1, 41) OR bitAnd(flags_up, 23) = 3)
        AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
),
steps AS
(
    SELECT
        site, client,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        uniqExactState((server, server_port)) AS targets_state,
        uniqExactState(server) AS hosts_state,
        groupUniqArray(kind) AS step_kinds,
        min(start) AS seen, max(start) AS seen_last,
        groupArray(10)(sample) AS samples
    FROM odd
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step, samples,
        uniqExactMerge(targets_state) OVER w AS tried,
        uniqExactMerge(hosts_state) OVER w AS hosts,
        groupUniqArrayArray(step_kinds) OVER w AS kinds,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    tried / {targets:Float64} AS strength,
    map('tried', toFloat64(tried), 'hosts', toFloat64(hosts)) AS inputs,
    map('kinds', arrayStringConcat(arraySort(kinds), ' and ')) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE tried >= {targets:Float64}
