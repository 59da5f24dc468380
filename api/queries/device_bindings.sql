-- What the sources bind to one device in the range, in the order of time; what frames told of a router is left out.
SELECT
    toString(b.site) AS place, toString(b.ip) AS address, b.vlan AS vlan, b.name AS name, b.user AS user, b.session AS session,
    toString(b.source) AS source, b.confidence AS confidence,
    toUnixTimestamp64Micro(b.`from`) AS began, toUnixTimestamp64Micro(b.`to`) AS ended
FROM (SELECT * FROM bindings FINAL WHERE mac = {mac:UInt64} SETTINGS use_skip_indexes_if_final = 1) AS b
WHERE b.`from` < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
  AND b.`to` >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
ORDER BY began, source, address, name, user
LIMIT 1000
