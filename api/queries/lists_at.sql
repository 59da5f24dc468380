-- The lists in force at a moment, and from when to when.
SELECT
    lists.list AS name,
    title,
    categories,
    allow,
    url,
    licence,
    sha256,
    entries,
    added,
    removed,
    version,
    since,
    until
FROM lists
INNER JOIN
(
    SELECT since, until
    FROM
    (
        SELECT
            since,
            leadInFrame(toNullable(since)) OVER (ORDER BY since ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS until
        FROM lists
        GROUP BY since
    )
    WHERE since <= fromUnixTimestamp64Micro({at:Int64}, 'UTC')
    ORDER BY since DESC
    LIMIT 1
) AS chosen USING (since)
ORDER BY name
