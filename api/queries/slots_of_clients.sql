-- What clients of the sites moved, inside traffic included.
SELECT
    site AS slot_site, toStartOfFiveMinutes(toDateTime(minute, 'UTC')) AS slot,
    toFloat64(sum(bytes_down)) AS slot_received, toFloat64(sum(bytes_up)) AS slot_sent
FROM traffic_1m
WHERE minute >= toDateTime(intDiv({first:Int64}, 1000000), 'UTC')
  AND minute < toDateTime(intDiv({last:Int64}, 1000000), 'UTC')
  AND (/*filters*/)
GROUP BY slot_site, slot
