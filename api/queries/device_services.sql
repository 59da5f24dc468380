-- Bytes by service under one MAC; services of withheld categories are nameless.
SELECT
    if(hasAny(categories, {withheld:Array(String)}), '', toString(service)) AS name,
    toString(application) AS kind,
    toString(name_source) AS named_by,
    sum(bytes_up) AS up,
    sum(bytes_down) AS down
FROM flows
WHERE client_mac = {mac:UInt64}
  AND `start` >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
  AND `start` < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
GROUP BY name, kind, named_by
ORDER BY up + down DESC, name, kind, named_by
LIMIT 50
