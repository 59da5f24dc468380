-- Bytes by one key over whole minutes. Totals are over all keys, not only those returned.
SELECT
    /*keys*/,
    sum(bytes_up) AS up,
    sum(bytes_down) AS down,
    sum(packets_up) AS sent,
    sum(packets_down) AS received,
    sum(flows) AS opened,
    /*sources*/,
    sum(sum(bytes_up)) OVER () AS total_up,
    sum(sum(bytes_down)) OVER () AS total_down,
    count() OVER () AS total_keys
FROM /*traffic*/
GROUP BY /*groups*/
ORDER BY up + down DESC, /*names*/
LIMIT {limit:UInt32}
