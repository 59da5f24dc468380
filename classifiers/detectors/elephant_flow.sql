-- title: Elephant flow
-- class: bandwidth
-- states: One connection of {subject} with {peer} ({service}, name from {name_source}) carried {megabytes} MB at {mbps} Mb/s in {window} to {to}.
-- subject: host
-- severity: low
-- clause: S9a, L K17
-- window: 5m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: bytes_up + bytes_down >= {megabytes_min:Float64} * 1e6 / 10
-- rests_on: presence
-- parameter megabytes_min: 100 | [S] Corelight, elephant flows | megabytes both ways
-- parameter mbps_min: 50 | [S] Corelight, elephant flows | megabits a second
WITH
-- Rows of a flow cover at most a minute: those of an elephant are all above a tenth of what it needs.
rows AS
(
    SELECT
        site, client, server, server_name, service, application, name_source, sensor, flow_id, start, end, toFloat64(bytes_up) + toFloat64(bytes_down) AS bytes,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        tuple(start, end, client, server, server_port, application, server_name, bytes_up, bytes_down, sensor, flow_id) AS sample
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND bytes_up + bytes_down >= {megabytes_min:Float64} * 1e6 / 10
        -- Named in every answer about bandwidth, and meant to be there.
        AND clause != 'sanctioned' AND NOT startsWith(clause, 'exemption:')
        AND NOT has({usual_services:Array(String)}, service) AND NOT has({sanctioned_services:Array(String)}, service)
        AND NOT has({call_applications:Array(String)}, application)
),
windows AS
(
    SELECT
        *,
        sum(bytes) OVER w AS total,
        min(start) OVER w AS `from`,
        max(end) OVER w AS `to`,
        greatest(1, dateDiff('millisecond', `from`, `to`) / 1000) AS seconds
    FROM rows
    WINDOW w AS (PARTITION BY site, sensor, flow_id, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    total / ({megabytes_min:Float64} * 1e6) AS strength,
    map('megabytes', round(total / 1e6, 1), 'mbps', round(total * 8 / seconds / 1e6, 1), 'seconds', toFloat64(seconds)) AS inputs,
    map('peer', if(server_name = '', toString(server), server_name), 'name_source', toString(name_source),
        'service', multiIf(service != '', toString(service), application != '', toString(application), 'unknown')) AS texts,
    [toJSONString(sample)] AS samples
FROM windows
WHERE total >= {megabytes_min:Float64} * 1e6 AND total * 8 / seconds / 1e6 >= {mbps_min:Float64}
