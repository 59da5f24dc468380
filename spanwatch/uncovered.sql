-- Batches that are in the store and whose time no detector round has covered.
SELECT
    sensor,
    boot,
    sequence,
    toUnixTimestamp64Micro(first) AS first_us,
    toUnixTimestamp64Micro(last) AS last_us
FROM batches
LEFT JOIN
(
    SELECT sensor, boot, max(sequence) AS covered, true AS known
    FROM rounds
    GROUP BY sensor, boot
) AS done USING (sensor, boot)
WHERE rows > 0 AND (NOT known OR sequence > covered)
