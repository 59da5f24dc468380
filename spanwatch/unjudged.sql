-- What came into the store after a moment, oldest first. `after_ms` is the store's clock, ms since 1970; where that
-- was set back since, its time now counts. It looks back `slack_ms`.
WITH toInt64(toUnixTimestamp64Milli(now64(3, 'UTC'))) AS clock_ms
SELECT
    cityHash64(sensor, boot, sequence, part) AS name,
    toUnixTimestamp64Milli(stored) AS stored_ms,
    toUnixTimestamp64Micro(first) AS first_us,
    toUnixTimestamp64Micro(last) AS last_us,
    clock_ms AS now_ms
FROM batches
WHERE rows > 0
  AND stored > fromUnixTimestamp64Milli(greatest(0, least({after_ms:Int64}, clock_ms) - {slack_ms:Int64}), 'UTC')
ORDER BY stored
LIMIT {most:UInt64} WITH TIES
