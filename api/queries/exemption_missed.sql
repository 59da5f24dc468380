-- Attempts after an exemption's end that it would have allowed, and the last of them.
SELECT count() AS attempts, toUnixTimestamp64Micro(max(last)) AS latest
FROM attempts FINAL
WHERE first >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
    AND action != 'allow'
    AND (empty({groups:Array(String)}) OR `group` IN {groups:Array(String)})
    AND (
        empty({hosts_from:Array(String)})
        OR arrayExists(
            (a, b) -> client >= toIPv6(a) AND client <= toIPv6(b),
            {hosts_from:Array(String)},
            {hosts_to:Array(String)}
        )
    )
    AND (
        hasAny(categories, {categories:Array(String)})
        OR service IN {services:Array(String)}
        OR arrayExists(n -> name = n OR endsWith(name, concat('.', n)), {names:Array(String)})
    )
