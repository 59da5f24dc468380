-- Ticks of the slots of five minutes that lack some.
SELECT sensor, ts - INTERVAL 10 SECOND AS a, ts AS b
FROM health
WHERE event IN ('tick', 'gap')
  AND (sensor, toStartOfFiveMinutes(ts)) IN
  (
      SELECT sensor, toStartOfFiveMinutes(ts)
      FROM health
      WHERE event IN ('tick', 'gap')
        AND toStartOfFiveMinutes(ts) >= toDateTime({first_slot:Int64}, 'UTC')
        AND toStartOfFiveMinutes(ts) < toDateTime({last_slot:Int64}, 'UTC')
      GROUP BY sensor, toStartOfFiveMinutes(ts)
      HAVING groupBitOr(bitShiftLeft(toUInt16(1), intDiv(toUnixTimestamp(ts), 20) % 15)) != 32767
  )
