-- What the inventory said of one device, and from when on.
SELECT
    toUnixTimestamp64Micro(at) AS since, present, name, toString(owner_group) AS owner_group, toString(site) AS place,
    arrayMap(tag -> toString(tag), tags) AS tags, toString(file) AS file
FROM inventory
WHERE mac = {mac:UInt64} AND at < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
ORDER BY since
LIMIT 100
