-- When attempts of each hour were last written (step 0), and as of which writing there are sums, each with all its rows.
SELECT
    toUInt32(0) AS step, toInt64(toUnixTimestamp(toStartOfHour(window_start))) AS began,
    toUnixTimestamp64Micro(max(updated)) AS newest
FROM attempts
WHERE toStartOfHour(window_start) >= toDateTime({first_hour:Int64}, 'UTC')
  AND toStartOfHour(window_start) <= toDateTime({last_hour:Int64}, 'UTC')
GROUP BY toStartOfHour(window_start)
UNION ALL
SELECT step, toInt64(toUnixTimestamp(start)) AS began, toUnixTimestamp64Micro(as_of) AS newest
FROM outcomes
WHERE start >= toDateTime({first_hour:Int64}, 'UTC') AND start <= toDateTime({last_hour:Int64}, 'UTC')
GROUP BY step, start, as_of
HAVING count() = max(parts)
