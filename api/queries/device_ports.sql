-- Where one device was plugged in or associated: port and access point of RADIUS, the relay's word of DHCP (RFC 3046).
SELECT
    toString(source) AS said_by,
    attributes['nas'] AS nas,
    attributes['port'] AS port,
    attributes['bssid'] AS bssid,
    attributes['ssid'] AS ssid,
    attributes['relay'] AS relay,
    attributes['circuit'] AS circuit,
    attributes['remote'] AS remote,
    toUnixTimestamp64Micro(min(ts)) AS earliest,
    toUnixTimestamp64Micro(max(ts)) AS latest
FROM sightings
WHERE mac = {mac:UInt64}
  AND source IN ('radius', 'dhcp_request', 'dhcpv6')
  AND ts >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
  AND ts < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
  AND (nas != '' OR port != '' OR bssid != '' OR circuit != '' OR remote != '')
GROUP BY said_by, nas, port, bssid, ssid, relay, circuit, remote
ORDER BY latest DESC, said_by, nas, port
LIMIT 50
