-- Where a sensor did not report, and the ends of what it did. A tick speaks for the ten seconds before
-- it; a boot without ticks (a short file) for the time of its records.
WITH
ticks AS
(
    SELECT sensor, boot, ts - INTERVAL 10 SECOND AS a, ts AS b
    FROM health
    WHERE event IN ('tick', 'gap')
      AND ts >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      AND ts < fromUnixTimestamp64Micro({last:Int64} + 10000000, 'UTC')
),
spans AS
(
    SELECT sensor, a, b FROM ticks
    UNION ALL
    SELECT sensor, first AS a, last AS b
    FROM batches
    WHERE records IN ('flows', 'dns') AND rows > 0
      AND first < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
      AND last >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      AND boot NOT IN (SELECT boot FROM ticks)
),
ordered AS
(
    SELECT
        toString(sensor) AS name,
        toUnixTimestamp64Micro(toDateTime64(a, 6, 'UTC')) AS began,
        toUnixTimestamp64Micro(toDateTime64(b, 6, 'UTC')) AS ended,
        max(ended) OVER (PARTITION BY name ORDER BY began, ended ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            AS covered
    FROM spans
)
SELECT
    name,
    min(began) AS earliest,
    max(ended) AS latest,
    arraySlice(arraySort(groupArrayIf((covered, began), covered > 0 AND began > covered + {longest_us:Int64})), 1, 1000)
        AS gaps
FROM ordered
GROUP BY name
ORDER BY name
