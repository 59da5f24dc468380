-- What the sources and the inventory say of devices as of a moment each: users while they are bound, names for 30 days
-- after they were last given, since a device seldom changes its name.
WITH
asked AS
(
    SELECT
        number AS n, ({macs:Array(UInt64)})[n + 1] AS mac,
        fromUnixTimestamp64Micro(({firsts:Array(Int64)})[n + 1], 'UTC') AS first,
        fromUnixTimestamp64Micro(({lasts:Array(Int64)})[n + 1], 'UTC') AS last
    FROM numbers(length({macs:Array(UInt64)}))
)
SELECT * FROM
(
    SELECT
        n, b.name AS name, b.user AS user, toString(b.source) AS source, b.confidence AS confidence,
        toUnixTimestamp64Micro(b.`from`) AS began, toUnixTimestamp64Micro(b.`to`) AS ended,
        '' AS owner_group, '' AS place, [] AS tags
    FROM asked AS q
    INNER JOIN
    (
        SELECT * FROM bindings FINAL
        WHERE mac IN {macs:Array(UInt64)} AND mac != 0 AND (ip = toIPv6('::') OR source = 'radius') AND (name != '' OR user != '')
    ) AS b ON q.mac = b.mac
    WHERE b.`from` <= q.last AND b.`to` >= q.first - INTERVAL if(b.user = '', 30, 0) DAY
    UNION ALL
    SELECT
        n, i.name AS name, '' AS user, 'inventory' AS source, 90 AS confidence, toUnixTimestamp64Micro(i.at) AS began,
        toUnixTimestamp64Micro(q.last) AS ended, toString(i.owner_group) AS owner_group, toString(i.site) AS place, arrayMap(tag -> toString(tag), i.tags) AS tags
    FROM asked AS q
    INNER JOIN
    (
        SELECT *, leadInFrame(at, 1, toDateTime64('2299-12-31', 6, 'UTC')) OVER (PARTITION BY mac ORDER BY at
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS until
        FROM inventory WHERE mac IN {macs:Array(UInt64)}
    ) AS i ON q.mac = i.mac
    WHERE i.present = 1 AND i.at <= q.last AND i.until > q.last
)
ORDER BY n, confidence DESC, ended DESC, began, name
LIMIT 64 BY n
