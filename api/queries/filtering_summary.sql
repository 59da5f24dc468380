-- Attempts by key, verdict and what the policy wanted at that moment. Split by category, an attempt with
-- several counts in each of them; otherwise once. A host is an address at a site.
SELECT
    /*names*/,
    sum(s.attempts) AS attempts,
    sum(s.hosts) AS hosts,
    sum(s.blocked) AS blocked,
    sum(s.allowed) AS allowed,
    sum(s.partial) AS partial,
    attempts - blocked - allowed - partial AS inconclusive,
    sum(s.prohibited) AS prohibited,
    sum(s.leaked) AS leaked,
    allowed + partial - leaked AS permitted,
    sum(s.overblocked) AS overblocked,
    sum(s.widgets) AS widgets,
    sum(s.background) AS background,
    sum(s.unmeasured) AS unmeasured,
    toUnixTimestamp64Micro(min(s.first)) AS earliest,
    toUnixTimestamp64Micro(max(s.last)) AS latest
FROM
(
    SELECT
        /*keys*/,
        site AS place,
        sum(o.attempts) AS attempts,
        uniqExactArray(o.hosts) + uniqExactArray(o.hosts6) AS hosts,
        sumIf(o.attempts, verdict = 'blocked') AS blocked,
        sumIf(o.attempts, verdict = 'allowed') AS allowed,
        sumIf(o.attempts, verdict = 'partial') AS partial,
        sumIf(o.attempts, action = 'prohibit') AS prohibited,
        sumIf(o.attempts, action = 'prohibit' AND verdict IN ('allowed', 'partial')) AS leaked,
        sumIf(o.attempts, action != 'prohibit' AND verdict = 'blocked') AS overblocked,
        sum(o.widgets) AS widgets,
        sumIf(o.attempts, initiated = 'background') AS background,
        sum(o.unmeasured) AS unmeasured,
        min(o.first) AS first,
        max(o.last) AS last
    FROM
    (
        SELECT
            *,
            arrayJoin(
                if({split:Bool} AND notEmpty(categories), categories, CAST([''], 'Array(LowCardinality(String))'))
            ) AS category
        FROM
        (
/*outcomes*/
        )
    ) AS o
    GROUP BY /*names*/, place
) AS s
GROUP BY /*names*/
ORDER BY prohibited DESC, attempts DESC, /*names*/
LIMIT 10000
