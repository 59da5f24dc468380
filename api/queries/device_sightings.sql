-- What one device said of itself, latest first.
SELECT
    toUnixTimestamp64Micro(ts) AS at,
    toString(site) AS place,
    vlan,
    toString(source) AS said_by,
    toString(ip) AS address,
    name,
    value,
    attributes
FROM sightings
WHERE mac = {mac:UInt64}
  AND ts >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
  AND ts < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
ORDER BY ts DESC
LIMIT 100
