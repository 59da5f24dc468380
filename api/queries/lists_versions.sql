-- Every version of the lists that was in force, the newest first.
SELECT
    since,
    leadInFrame(toNullable(since)) OVER (ORDER BY since ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS until,
    any(version) AS version,
    count() AS lists,
    sum(entries) AS entries,
    sum(added) AS added,
    sum(removed) AS removed
FROM lists
GROUP BY since
ORDER BY since DESC
LIMIT {limit:UInt32}
