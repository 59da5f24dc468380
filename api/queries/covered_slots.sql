-- The same for steps of whole slots of five minutes, from their sums.
SELECT DISTINCT intDiv(toInt64(toUnixTimestamp(slot)), {step_s:Int64}) * {step_s:Int64} AS step FROM
(
    SELECT toStartOfFiveMinutes(ts) AS slot
    FROM health
    WHERE event IN ('tick', 'gap')
      AND toStartOfFiveMinutes(ts) >= toDateTime(intDiv({first:Int64}, 1000000), 'UTC')
      AND toStartOfFiveMinutes(ts) < toDateTime(intDiv({last:Int64}, 1000000), 'UTC')
      AND (/*filters*/)
    GROUP BY toStartOfFiveMinutes(ts)
)
