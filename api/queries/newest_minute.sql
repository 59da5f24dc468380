-- The newest minute with records before a moment; its sums may still grow.
SELECT toInt64(toUnixTimestamp(toDateTime(minute, 'UTC'))) AS newest
FROM traffic_1m
WHERE minute < toDateTime({until:Int64}, 'UTC')
ORDER BY minute DESC
LIMIT 1
