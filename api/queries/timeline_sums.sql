-- Bytes by step and key, from the sums of minutes or hours.
SELECT
    intDiv(toInt64(toUnixTimestamp(at)), {step_s:Int64}) * {step_s:Int64} AS step,
    /*key*/ AS name,
    toFloat64(sum(bytes_up)) AS up,
    toFloat64(sum(bytes_down)) AS down
FROM /*traffic*/
GROUP BY step, name
ORDER BY step, name
