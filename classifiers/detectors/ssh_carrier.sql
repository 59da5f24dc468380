-- title: SSH that carries other traffic
-- class: circumvention
-- states: {subject} ({group}) had an SSH connection with {peer} outside for {minutes:minute} in {window} to {to} that carried {kilobytes_down} kB
--   down and {kilobytes_up} kB up of data in both directions, as forwarded connections do and a shell or a copied file does not. By behaviour.
-- subject: host
-- severity: low
-- clause: S11, L K5
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: application = 'ssh'
-- rests_on: presence
-- parameter megabytes_min: 1 | [D] | megabytes of data in the larger direction: more than a shell's screens
-- parameter kilobytes_back: 20 | [D] | kilobytes in the smaller one
-- parameter back_share: 0.01 | [D] | part of the larger direction that the smaller one is: file copies send window updates alone
-- parameter back_most: 0.6 | [D] | and at most; a session that types and echoes is about even
SELECT client FROM flows
WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
    AND application = 'ssh' AND payload_up + payload_down > 0
    AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
-- A connection has one port of its client's: to read that alone costs less, and joins connections but parts none.
GROUP BY client, client_port
HAVING greatest(sum(payload_up), sum(payload_down)) >= 1e6 * {megabytes_min:Float64}
    AND least(sum(payload_up), sum(payload_down)) >= 1000 * {kilobytes_back:Float64}
;
WITH
steps AS
(
    SELECT
        site, client, server, server_port, flow_id, min(`group`) AS step_group,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        sum(payload_up) AS step_up, sum(payload_down) AS step_down,
        min(start) AS seen, max(end) AS seen_last,
        groupArraySorted(10)(tuple(start, client, server, server_port, payload_up, payload_down, packets_up, packets_down, sensor, flow_id)) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND application = 'ssh' AND payload_up + payload_down > 0
        AND NOT has({sanctioned_services:Array(String)}, service)
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {vpn_from:Array(IPv6)}, {vpn_to:Array(IPv6)})
        AND client IN {suspects:Array(IPv6)}
    GROUP BY site, client, server, server_port, flow_id, step
),
windows AS
(
    SELECT
        site, client, server, server_port, step, step_group, samples,
        sum(step_up) OVER w AS up,
        sum(step_down) OVER w AS down,
        least(up, down) / greatest(up, down, 1) AS back,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client, server, server_port, flow_id ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    toFloat64(up + down) AS strength,
    map('kilobytes_up', round(up / 1000, 1), 'kilobytes_down', round(down / 1000, 1),
        'minutes', toFloat64(greatest(1, dateDiff('minute', `from`, `to`)))) AS inputs,
    map('group', if(step_group = '', 'no group', toString(step_group)), 'peer', concat(toString(server), ' port ', toString(server_port))) AS texts,
    60 AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE greatest(up, down) >= 1e6 * {megabytes_min:Float64} AND least(up, down) >= 1000 * {kilobytes_back:Float64}
    AND back >= {back_share:Float64} AND back <= {back_most:Float64}
