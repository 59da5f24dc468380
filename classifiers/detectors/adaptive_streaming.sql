-- title: Adaptive streaming without a name
-- class: bandwidth
-- states: {subject} asked {peer} ({port_word}) {bursts} times in {seconds} s to {to}, after pauses, for {burst_kilobytes} kB on
--   average, one every {period} s: {mbps} Mb/s, {ratio} times what it sent. Adaptive streaming does so; no name was seen.
-- subject: host
-- severity: low
-- clause: S9a, L K17
-- window: 3m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: bursts_down > 0
-- rests_on: presence
-- parameter bursts_min: 8 | [D] | answers of 150 kB and more (`bursts_down`) in 60 s
-- parameter seconds_min: 50 | [D] | how long it must go on, s
-- parameter period_min: 1 | [D] | least mean time between two of them, s
-- parameter ratio_min: 20 | [D] | bytes down for each byte up
-- parameter mbps_min: 0.3 | [D] | least mean rate, Mb/s: below it is sound
-- parameter mbps_max: 25 | [D] | greatest mean rate, Mb/s
-- parameter sure_seconds: 120 | [D] | how long it goes on where confidence is 80 and not 60
WITH
rows AS
(
    SELECT
        site, client, server, server_port, protocol, sensor, flow_id, start, end, bytes_up, bytes_down, bursts_down,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        tuple(start, end, client, client_port, server, server_port, protocol, application, bytes_up, bytes_down, bursts_down, sensor,
            flow_id) AS sample
    FROM flows
    PREWHERE bursts_down > 0
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        -- The public name that many sites share says as little as none (Cloudflare, encrypted client hello).
        AND server_name IN ('', 'cloudflare-ech.com') AND service = '' AND application IN ('tls', 'quic', 'http', '')
        AND NOT server_inside
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {vpn_from:Array(IPv6)}, {vpn_to:Array(IPv6)})
),
steps AS
(
    SELECT
        site, client, server, step, min(server_port) AS port, min(protocol) AS transport, min(start) AS seen, max(end) AS seen_last,
        sum(toFloat64(bytes_up)) AS up, sum(toFloat64(bytes_down)) AS down,
        -- Connections that bring one answer each count by the second they begin in: those side by side are one page.
        toFloat64(sumIf(bursts_down, bursts_down > 1)) + uniqExactIf(toStartOfSecond(start), bursts_down = 1) AS bursts,
        arraySort(groupArraySorted(10)(sample)) AS step_samples
    FROM rows
    GROUP BY site, client, server, step
),
windows AS
(
    SELECT
        site, client, server, port, transport, step,
        sum(bursts) OVER w AS bursts,
        sum(up) OVER w AS up,
        sum(down) OVER w AS down,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`,
        arraySlice(arraySort(groupArrayArray(step_samples) OVER w), 1, 10) AS samples,
        greatest(1, dateDiff('millisecond', `from`, `to`) / 1000) AS seconds
    FROM steps
    WINDOW w AS (PARTITION BY site, client, server ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    -- The longest window tells most.
    bursts / {bursts_min:Float64} AS strength,
    if(seconds >= {sure_seconds:Float64}, 80, 60) AS confidence,
    map('bursts', bursts, 'seconds', round(seconds, 1), 'period', round(seconds / bursts, 2),
        'burst_kilobytes', round(down / bursts / 1e3), 'mbps', round(down * 8 / seconds / 1e6, 2),
        'ratio', round(down / greatest(up, 1), 1), 'bytes', down) AS inputs,
    map('peer', toString(server), 'port_word', concat(transform(toUInt8(transport), [6, 17], ['TCP ', 'UDP '], ''), toString(port))) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE bursts >= {bursts_min:Float64} AND seconds >= {seconds_min:Float64}
    AND bursts * 60 / seconds >= {bursts_min:Float64} AND seconds / bursts >= {period_min:Float64}
    AND down >= {ratio_min:Float64} * up
    AND down * 8 / seconds / 1e6 BETWEEN {mbps_min:Float64} AND {mbps_max:Float64}
