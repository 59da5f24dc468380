-- Attempts by key, verdict and what the policy wanted at that moment. Split by category, an attempt with
-- several counts in each of them; otherwise once.
SELECT
    /*keys*/,
    count() AS attempts,
    uniqExact(site, client) AS hosts,
    countIf(verdict = 'blocked') AS blocked,
    countIf(verdict = 'allowed') AS allowed,
    countIf(verdict = 'partial') AS partial,
    countIf(verdict NOT IN ('blocked', 'allowed', 'partial')) AS inconclusive,
    countIf(action = 'prohibit') AS prohibited,
    countIf(action = 'prohibit' AND verdict IN ('allowed', 'partial')) AS leaked,
    countIf(action != 'prohibit' AND verdict IN ('allowed', 'partial')) AS permitted,
    countIf(action != 'prohibit' AND verdict = 'blocked') AS overblocked,
    countIf(embedded) AS widgets,
    countIf(initiated = 'background') AS background,
    countIf(isNull(loss)) AS unmeasured,
    toUnixTimestamp64Micro(min(first)) AS earliest,
    toUnixTimestamp64Micro(max(last)) AS latest
FROM
(
    SELECT
        *,
        arrayJoin(
            if({split:Bool} AND notEmpty(categories), categories, CAST([''], 'Array(LowCardinality(String))'))
        ) AS category
    FROM attempts FINAL
    WHERE window_start >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      AND window_start < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
      AND /*hours*/
      AND (/*filters*/)
)
GROUP BY /*names*/
ORDER BY prohibited DESC, attempts DESC, /*names*/
LIMIT 10000
