-- Bytes by step and key, from the sums of minutes or hours.
SELECT
    intDiv(toInt64(toUnixTimestamp(at)), {step_s:Int64}) * {step_s:Int64} AS step,
    /*key*/ AS name,
    sum(bytes_up) AS up,
    sum(bytes_down) AS down
FROM /*traffic*/
GROUP BY step, name
