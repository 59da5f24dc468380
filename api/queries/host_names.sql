-- The latest name each host gave itself before the end of the range.
SELECT
    toString(site) AS host_site,
    toString(ip) AS address,
    argMax(name, ts) AS host_name
FROM sightings
WHERE ts < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
  AND ts >= fromUnixTimestamp64Micro({last:Int64}, 'UTC') - INTERVAL 30 DAY
  AND name != ''
  -- Switches speak of more than one host; RADIUS and Kerberos name users.
  AND source NOT IN ('ssdp', 'lldp', 'cdp', 'beacon', 'probe', 'radius', 'kerberos')
  AND has(arrayMap(a -> toIPv6(a), {addresses:Array(String)}), ip)
GROUP BY host_site, address
