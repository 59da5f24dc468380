-- title: Long flow
-- class: bandwidth
-- states: One connection of {subject} with {peer} ({service}, name from {name_source}) has been open for {minutes:minute} and
--   carried {megabytes} MB of that in {window} to {to}.
-- subject: host
-- severity: low
-- clause: S9a, L K17
-- window: 10m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: start >= first + toIntervalSecond(toUInt32({minutes_min:Float64} * 60))
-- rests_on: presence
-- parameter minutes_min: 10 | [S] zeek-long-connections, its first step | age of the connection from which it counts at all
-- parameter megabytes_min: 500 | [D] | megabytes both ways in 10 minutes, of a connection of that age
-- parameter hour_megabytes: 100 | [D] | of one open for an hour
-- parameter day_megabytes: 10 | [D] | of one open for a day
WITH
rows AS
(
    SELECT
        site, client, server, server_port, server_name, service, application, name_source, sensor, flow_id, first, start, end,
        toFloat64(bytes_up) + toFloat64(bytes_down) AS bytes,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        tuple(start, end, first, client, server, server_port, application, server_name, bytes_up, bytes_down, sensor, flow_id) AS sample
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND start >= first + toIntervalSecond(toUInt32({minutes_min:Float64} * 60))
        -- What waits for news all day carries next to nothing.
        AND bytes_up + bytes_down >= least({megabytes_min:Float64}, {hour_megabytes:Float64}, {day_megabytes:Float64}) * 1e6 / 100
        AND clause != 'sanctioned' AND NOT startsWith(clause, 'exemption:')
        AND NOT has({usual_services:Array(String)}, service) AND NOT has({sanctioned_services:Array(String)}, service)
        AND NOT has({call_applications:Array(String)}, application)
        -- Streaming with a name is for shares and quotas.
        AND NOT hasAny(categories, ['streaming_video', 'streaming_music'])
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {vpn_from:Array(IPv6)}, {vpn_to:Array(IPv6)})
        AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
),
windows AS
(
    SELECT
        *,
        sum(bytes) OVER w AS total,
        min(start) OVER w AS `from`,
        max(end) OVER w AS `to`,
        dateDiff('second', first, `to`) / 60 AS minutes,
        multiIf(minutes >= 1440, {day_megabytes:Float64}, minutes >= 60, {hour_megabytes:Float64}, {megabytes_min:Float64}) AS needed,
        arraySlice(arraySort(groupArray(sample) OVER w), 1, 10) AS samples
    FROM rows
    WINDOW w AS (PARTITION BY site, sensor, flow_id, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    total / (needed * 1e6) AS strength,
    map('megabytes', round(total / 1e6, 1), 'minutes', floor(minutes), 'needed_megabytes', needed) AS inputs,
    map('peer', if(server_name = '', toString(server), server_name), 'name_source', toString(name_source),
        'service', multiIf(service != '', toString(service), application != '', toString(application), 'unknown')) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE total >= needed * 1e6
