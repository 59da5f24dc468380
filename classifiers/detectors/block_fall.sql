-- title: Far fewer blocks than usual
-- class: filtering
-- states: {blocked:block} at {subject} in {window} to {to}, against {usual} in the same hour of {days:earlier day}, while the mirror
--   showed {traffic} % of the usual traffic.
-- subject: site
-- severity: medium
-- clause: S3b, L K12b
-- window: 1h
-- step: 10m
-- lookback: 7d
-- reads: attempts, health
-- rests_on: absence
-- parameter blocks_min: 20 | [D] | median of the blocks of the same hour of the days before
-- parameter days_min: 2 | [D] | earlier days with traffic at that hour
-- parameter fall_share: 0.3 | [D] | part of the usual blocks from which it is a fall
-- parameter traffic_share: 0.5 | [D] | part of the usual packets without which fewer blocks are no news
WITH
-- The same hours of this day and those before.
blocks AS
(
    SELECT site, toStartOfInterval(window_start, toIntervalSecond({step:UInt32})) AS step, count() AS step_blocks
    FROM attempts FINAL
    WHERE toStartOfHour(window_start) IN
        (
            SELECT toStartOfHour({since:DateTime64(6, 'UTC')} - toIntervalSecond({before:UInt32}))
                + toIntervalHour(hour) - toIntervalDay(day)
            FROM
            (
                SELECT arrayJoin(range(0, 8)) AS day, arrayJoin(range(0, toUInt32(dateDiff('hour',
                    {since:DateTime64(6, 'UTC')} - toIntervalSecond({before:UInt32}), {to:DateTime64(6, 'UTC')}) + 2))) AS hour
            )
        )
        AND window_start >= {from:DateTime64(6, 'UTC')} AND window_start < {to:DateTime64(6, 'UTC')}
        AND verdict = 'blocked'
    GROUP BY site, step
),
traffic AS
(
    SELECT
        -- A sensor of several sites reports for none: its packets stand for each of them.
        arrayJoin(if(site = '', arrayConcat([''], (SELECT groupUniqArray(toString(site)) FROM blocks)), [toString(site)])) AS site,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step, sum(packets) AS step_packets
    FROM health
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
    GROUP BY site, step
),
days AS
(
    SELECT
        site, arrayJoin(range(0, 8)) AS day, step + toIntervalDay(day) AS target,
        sum(step_packets) AS day_packets, sum(step_blocks) AS day_blocks
    FROM
    (
        SELECT toString(site) AS site, step, step_blocks, 0 AS step_packets FROM blocks
        UNION ALL
        SELECT site, step, 0 AS step_blocks, step_packets FROM traffic
    )
    GROUP BY site, day, step
    HAVING target >= {since:DateTime64(6, 'UTC')} - toIntervalSecond({before:UInt32}) AND target < {to:DateTime64(6, 'UTC')}
),
hours AS
(
    SELECT
        site, day, target,
        sum(day_blocks) OVER w AS hour_blocks, sum(day_packets) OVER w AS hour_packets
    FROM days
    WINDOW w AS (PARTITION BY site, day ORDER BY target RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
compared AS
(
    SELECT
        site, target,
        sumIf(hour_blocks, day = 0) AS now_blocks, sumIf(hour_packets, day = 0) AS now_packets,
        groupArraySortedIf(7)((day, hour_blocks, hour_packets), day > 0 AND hour_packets > 0) AS before_days,
        arraySort(arrayMap(d -> d.2, before_days)) AS ordered,
        arraySort(arrayMap(d -> d.3, before_days)) AS ordered_packets,
        toFloat64(ordered[intDiv(length(ordered) + 1, 2)]) AS usual_blocks,
        toFloat64(ordered_packets[intDiv(length(ordered_packets) + 1, 2)]) AS usual_packets
    FROM hours
    GROUP BY site, target
)
SELECT
    site, target AS step,
    toDateTime64(target, 6, 'UTC') - toIntervalSecond({before:UInt32}) AS `from`,
    toDateTime64(target, 6, 'UTC') + toIntervalSecond({step:UInt32}) AS `to`,
    site AS subject,
    usual_blocks / greatest(now_blocks, 1) / {blocks_min:Float64} AS strength,
    map('blocked', toFloat64(now_blocks), 'usual', usual_blocks, 'days', toFloat64(length(before_days)),
        'traffic', round(100 * now_packets / usual_packets)) AS inputs,
    80 AS confidence,
    arrayMap(d -> toJSONString(tuple(d.1 AS days_before, d.2 AS blocks, d.3 AS packets)), before_days) AS samples
FROM compared
WHERE length(before_days) >= {days_min:Float64} AND usual_blocks >= {blocks_min:Float64}
    AND now_blocks <= {fall_share:Float64} * usual_blocks AND now_packets >= {traffic_share:Float64} * usual_packets
    AND now_packets > 0
