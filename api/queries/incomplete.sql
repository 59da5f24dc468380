-- Batches that touch the range, came in parts, and lack some of them for two minutes or more.
SELECT toString(sensor) AS name, count() AS batches
FROM
(
    SELECT sensor, boot, sequence
    FROM batches
    WHERE parts > 1 AND (sensor, boot, sequence) IN
    (
        SELECT sensor, boot, sequence
        FROM batches
        WHERE parts > 1
          AND first < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
          AND last >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
    )
    GROUP BY sensor, boot, sequence
    HAVING uniqExact(part) < max(parts) AND max(stored) < now64(3, 'UTC') - INTERVAL 2 MINUTE
)
GROUP BY name
