-- Bytes by step and key, from the flow rows: a row's bytes are spread evenly over its own time,
-- which is 60 s at most. Rows that began up to two minutes before the range reach into it. (The hour is first in the table's key;
-- servers count one before 1970 on from 2106.)
WITH
    {step_s:Int64} * 1000000 AS step_us,
    toUnixTimestamp64Micro(`start`) AS start_us,
    greatest(toUnixTimestamp64Micro(`end`), start_us) AS end_us
SELECT
    intDiv(start_us, step_us) * {step_s:Int64} + offset * {step_s:Int64} AS step,
    /*key*/ AS name,
    sum(bytes_up / (intDiv(end_us, step_us) - intDiv(start_us, step_us) + 1)) AS up,
    sum(bytes_down / (intDiv(end_us, step_us) - intDiv(start_us, step_us) + 1)) AS down
FROM flows
ARRAY JOIN range(toUInt64(least(intDiv(end_us, step_us) - intDiv(start_us, step_us) + 1, 10000))) AS offset
WHERE `start` >= fromUnixTimestamp64Micro({first:Int64} - 120000000, 'UTC')
  AND `start` < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
  AND toStartOfHour(`start`) >= toStartOfHour(fromUnixTimestamp64Micro(greatest({first:Int64} - 120000000, 0), 'UTC'))
  AND toStartOfHour(`start`) <= toStartOfHour(fromUnixTimestamp64Micro({last:Int64}, 'UTC'))
  AND `end` >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
  AND (/*filters*/)
GROUP BY step, name
HAVING step * 1000000 >= {first:Int64} AND step * 1000000 < {last:Int64}
