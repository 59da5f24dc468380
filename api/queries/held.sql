SELECT
    toUnixTimestamp64Micro(toDateTime64(min(first), 6, 'UTC')) AS earliest,
    toUnixTimestamp64Micro(toDateTime64(max(last), 6, 'UTC')) AS latest,
    count() AS batches
FROM batches
WHERE records = 'flows' AND rows > 0
