-- What sites exchanged with addresses outside.
SELECT site AS slot_site, toDateTime(slot, 'UTC') AS slot, toFloat64(received) AS slot_received, toFloat64(sent) AS slot_sent
FROM link_5m
WHERE slot >= toDateTime(intDiv({first:Int64}, 1000000), 'UTC')
  AND slot < toDateTime(intDiv({last:Int64}, 1000000), 'UTC')
  AND (/*filters*/)
