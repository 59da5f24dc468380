-- Which devices, names and users the sources bind to addresses between two moments each. What frames told of a
-- router's MAC is about whatever is behind it.
WITH
asked AS
(
    SELECT
        number AS n, ({sites:Array(String)})[n + 1] AS site, toIPv6(({addresses:Array(String)})[n + 1]) AS ip,
        ({firsts:Array(Int64)})[n + 1] AS first, ({lasts:Array(Int64)})[n + 1] AS last
    FROM numbers(length({addresses:Array(String)}))
),
stated AS
(
    SELECT
        toString(site) AS site, ip, vlan, mac, name, user, toString(source) AS source, confidence,
        toUnixTimestamp64Micro(`from`) AS a, toUnixTimestamp64Micro(`to`) AS b
    FROM bindings FINAL
    WHERE ip IN (SELECT ip FROM asked)
      AND `from` <= fromUnixTimestamp64Micro(arrayMax({lasts:Array(Int64)}), 'UTC')
      AND `to` >= fromUnixTimestamp64Micro(arrayMin({firsts:Array(Int64)}), 'UTC')
),
routers AS
(
    SELECT mac, groupArray((toUnixTimestamp64Micro(`from`), toUnixTimestamp64Micro(`to`))) AS spans
    FROM bindings FINAL
    WHERE ip = toIPv6('::') AND source = 'router' AND mac IN (SELECT mac FROM stated WHERE mac != 0)
    GROUP BY mac
)
SELECT
    n, if(routed, 0, s.mac) AS device, if(routed, s.mac, 0) AS router, s.vlan AS vlan, s.name AS name, s.user AS user,
    s.source AS source, s.confidence AS confidence, s.a AS began, s.b AS ended,
    arrayExists(span -> span.1 <= s.b AND span.2 >= s.a, r.spans)
        AND s.source IN ('arp', 'ndp', 'flows', 'mdns', 'nbns', 'kerberos') AS routed
FROM asked AS q
INNER JOIN stated AS s ON q.site = s.site AND q.ip = s.ip
LEFT JOIN routers AS r ON s.mac = r.mac
WHERE s.a <= q.last AND s.b >= q.first
ORDER BY n, confidence DESC, began, device, name, user
LIMIT 64 BY n
