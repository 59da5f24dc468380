-- Attempts by key and verdict. An attempt with several categories counts in each of them.
SELECT
    /*keys*/,
    count() AS attempts,
    uniqExact(site, client) AS hosts,
    countIf(verdict = 'blocked') AS blocked,
    countIf(verdict = 'allowed') AS allowed,
    countIf(verdict = 'partial') AS partial,
    countIf(verdict NOT IN ('blocked', 'allowed', 'partial')) AS inconclusive,
    countIf(embedded) AS widgets,
    toUnixTimestamp64Micro(min(first)) AS earliest,
    toUnixTimestamp64Micro(max(last)) AS latest
FROM
(
    SELECT *, arrayJoin(if(empty(categories), [''], arrayMap(c -> toString(c), categories))) AS category
    FROM attempts FINAL
    WHERE window_start >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      AND window_start < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
      AND (/*filters*/)
)
GROUP BY /*names*/
ORDER BY attempts DESC, /*names*/
LIMIT 10000
