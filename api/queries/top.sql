-- Bytes by one key over whole minutes. Totals are over all keys, not only those returned.
SELECT
    /*keys*/,
    sum(bytes_up) AS up,
    sum(bytes_down) AS down,
    sum(packets_up) AS sent,
    sum(packets_down) AS received,
    sum(flows) AS opened,
    sum(sum(bytes_up)) OVER () AS total_up,
    sum(sum(bytes_down)) OVER () AS total_down,
    count() OVER () AS total_keys
FROM traffic_1m
WHERE minute >= toDateTime(intDiv({first:Int64}, 1000000), 'UTC')
  AND minute < toDateTime(intDiv({last:Int64}, 1000000), 'UTC')
  AND (/*filters*/)
GROUP BY /*names*/
ORDER BY up + down DESC, /*names*/
LIMIT {limit:UInt32}
