-- First and last moment of the flows. A packet from the future, or from 1970, moves neither as long as
-- there are batches without one.
SELECT
    toUnixTimestamp64Micro(toDateTime64(if(sane > 0, minIf(first, ok), min(first)), 6, 'UTC')) AS earliest,
    toUnixTimestamp64Micro(toDateTime64(if(sane > 0, maxIf(last, ok), max(last)), 6, 'UTC')) AS latest,
    count() AS batches,
    countIf(ok) AS sane
FROM
(
    SELECT first, last, last <= now() + INTERVAL 1 HOUR AND first >= toDateTime(946684800, 'UTC') AS ok
    FROM batches
    WHERE records = 'flows' AND rows > 0
)
