-- Where a sensor did not report, and the ends of what it did. A tick speaks for the ten seconds before
-- it; a boot without ticks (a short file) for the time of its records. A slot of five minutes with a tick in each of its
-- 20 s has no gap between its first and its last one: of the others every tick is read.
WITH
slots AS
(
    SELECT
        sensor, toStartOfFiveMinutes(ts) AS slot, min(ts) AS a, max(ts) AS b,
        groupBitOr(bitShiftLeft(toUInt16(1), intDiv(toUnixTimestamp(ts), 20) % 15)) = 32767 AS whole
    FROM health
    WHERE event IN ('tick', 'gap')
      AND toStartOfFiveMinutes(ts) >= toDateTime({first_slot:Int64}, 'UTC')
      AND toStartOfFiveMinutes(ts) < toDateTime({last_slot:Int64}, 'UTC')
    GROUP BY sensor, toStartOfFiveMinutes(ts)
),
ticks AS
(
    SELECT sensor, a, b FROM slots WHERE whole
    UNION ALL
    SELECT sensor, ts AS a, ts AS b
    FROM health
    WHERE event IN ('tick', 'gap')
      AND (sensor, toStartOfFiveMinutes(ts)) IN (SELECT sensor, slot FROM slots WHERE NOT whole)
    UNION ALL
    SELECT sensor, ts AS a, ts AS b
    FROM health
    WHERE event IN ('tick', 'gap')
      AND ts >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      AND ts < fromUnixTimestamp64Micro({last:Int64} + 10000000, 'UTC')
      AND (ts < toDateTime({first_slot:Int64}, 'UTC') OR ts >= toDateTime({last_slot:Int64}, 'UTC'))
),
ticking AS
(
    SELECT boot
    FROM health
    WHERE event IN ('tick', 'gap')
      AND toStartOfFiveMinutes(ts) >= toDateTime({first_slot:Int64}, 'UTC')
      AND toStartOfFiveMinutes(ts) < toDateTime({last_slot:Int64}, 'UTC')
    GROUP BY boot
    UNION ALL
    SELECT boot
    FROM health
    WHERE event IN ('tick', 'gap')
      AND ts >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      AND ts < fromUnixTimestamp64Micro({last:Int64} + 10000000, 'UTC')
      AND (ts < toDateTime({first_slot:Int64}, 'UTC') OR ts >= toDateTime({last_slot:Int64}, 'UTC'))
),
spans AS
(
    SELECT sensor, a - INTERVAL 10 SECOND AS a, b FROM ticks
    UNION ALL
    SELECT sensor, first AS a, last AS b
    FROM batches
    WHERE records IN ('flows', 'dns') AND rows > 0
      AND first < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
      AND last >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      AND (sensor, boot) IN
      (
          SELECT sensor, boot
          FROM batches
          WHERE records IN ('flows', 'dns') AND (rows > 0) AND boot NOT IN (SELECT boot FROM ticking)
          GROUP BY sensor, boot
          HAVING min(first) < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
             AND max(last) >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      )
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
