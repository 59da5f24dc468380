-- Steps in which a sensor reported: where none did, nothing is known, which is not zero.
SELECT DISTINCT step FROM
(
    SELECT intDiv(toInt64(toUnixTimestamp(ts)), {step_s:Int64}) * {step_s:Int64} AS step
    FROM health
    WHERE event IN ('tick', 'gap')
      AND ts >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      AND ts < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
      AND (/*filters*/)
)
