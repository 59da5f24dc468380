-- Boots without ticks in the range (a short file) speak for the time of their records.
SELECT sensor, first AS a, last AS b
FROM batches
WHERE records IN ('flows', 'dns') AND rows > 0
  AND first < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
  AND last >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
  AND (sensor, boot) IN
  (
      SELECT sensor, boot
      FROM batches
      WHERE records IN ('flows', 'dns') AND (rows > 0) AND boot NOT IN
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
      )
      GROUP BY sensor, boot
      HAVING min(first) < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
         AND max(last) >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
  )
