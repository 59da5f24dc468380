-- Bytes by step and key, from the one-minute sums.
SELECT
    intDiv(toInt64(toUnixTimestamp(minute)), {step_s:Int64}) * {step_s:Int64} AS step,
    /*key*/ AS name,
    toFloat64(sum(bytes_up)) AS up,
    toFloat64(sum(bytes_down)) AS down
FROM traffic_1m
WHERE minute >= toDateTime(intDiv({first:Int64}, 1000000), 'UTC')
  AND minute < toDateTime(intDiv({last:Int64}, 1000000), 'UTC')
  AND (/*filters*/)
GROUP BY step, name
ORDER BY step, name
