-- Sites at which an address was bound to anything in a range.
SELECT DISTINCT toString(site) AS place
FROM bindings
WHERE ip = toIPv6({address:String})
  AND `from` <= fromUnixTimestamp64Micro({last:Int64}, 'UTC')
  AND `to` >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
ORDER BY place
LIMIT 500
