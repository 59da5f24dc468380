-- When sensors reported, as stretches without a gap, and in how many slots of five minutes they did so in part: those say
-- nothing here (torn.sql). A tick speaks for the ten seconds before it. A slot with a tick in each of its 20 s has no gap between
-- its first and its last one. Past so many stretches (`most`) the last one takes what is left.
WITH
    arraySort(groupArrayIf((began, ended), NOT torn)) AS spans,
    arrayMap((span, before) -> span.1 > before.2 + {longest_us:Int64}, spans, arrayPushFront(arrayPopBack(spans), spans[1])) AS breaks,
    arrayMap((broken, number) -> broken AND number < {most:UInt32}, breaks, arrayCumSum(breaks)) AS starts
SELECT
    toString(sensor) AS name,
    countIf(torn) AS in_part,
    if(empty(spans), [], arrayMap(run -> (run[1].1, run[-1].2), arraySplit((span, start) -> start, spans, starts))) AS runs
FROM
(
    SELECT
        sensor,
        toUnixTimestamp64Micro(toDateTime64(min(ts), 6, 'UTC')) - 10000000 AS began,
        toUnixTimestamp64Micro(toDateTime64(max(ts), 6, 'UTC')) AS ended,
        groupBitOr(bitShiftLeft(toUInt16(1), intDiv(toUnixTimestamp(ts), 20) % 15)) != 32767 AS torn
    FROM health
    WHERE event IN ('tick', 'gap')
      AND toStartOfFiveMinutes(ts) >= toDateTime({first_slot:Int64}, 'UTC')
      AND toStartOfFiveMinutes(ts) < toDateTime({last_slot:Int64}, 'UTC')
    GROUP BY sensor, toStartOfFiveMinutes(ts)
    UNION ALL
    SELECT
        sensor, toUnixTimestamp64Micro(toDateTime64(ts, 6, 'UTC')) - 10000000 AS began,
        toUnixTimestamp64Micro(toDateTime64(ts, 6, 'UTC')) AS ended, 0 AS torn
    FROM health
    WHERE event IN ('tick', 'gap')
      AND ts >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      AND ts < fromUnixTimestamp64Micro({last:Int64} + 10000000, 'UTC')
      AND (ts < toDateTime({first_slot:Int64}, 'UTC') OR ts >= toDateTime({last_slot:Int64}, 'UTC'))
)
GROUP BY sensor
