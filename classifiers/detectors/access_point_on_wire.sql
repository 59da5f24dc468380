-- title: Unknown access point on our wire
-- class: equipment
-- states: {subject} announced the wireless network "{ssid}" on channel {channels} ({security}) in {window} to {to}, and {wired}, whose
--   MAC is {distance} away, spoke on the wire (VLAN {vlan}{place}): most likely one device. It is on no list of access points.
-- subject: device
-- severity: high
-- clause: S9d, L K17
-- window: 1h
-- step: 1m
-- lookback: 1h
-- reads: sightings
-- rests_on: presence
-- parameter reach: 16 | [D] | greatest difference between the MACs of one device's radio and wire
WITH
beacons AS
(
    SELECT
        site, mac,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        max(value) AS step_ssid,
        arraySlice(arraySort(groupUniqArrayIf(attributes['channel'], attributes['channel'] != '')), 1, 5) AS step_channels,
        arraySlice(arraySort(groupUniqArray(attributes['security'])), 1, 5) AS step_security,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, source, mac, value, attributes)) AS samples
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source = 'beacon' AND mac != 0 AND attributes['type'] != 'ad-hoc'
        -- Printers and screens: the name of every group of Wi-Fi Direct begins so (Wi-Fi P2P, 3.2.1).
        AND NOT startsWith(value, 'DIRECT-')
        AND NOT arrayExists(m -> abs(toInt64(m) - toInt64(mac)) <= {reach:Float64},
            arrayConcat({access_point_macs:Array(UInt64)}, {router_macs:Array(UInt64)}))
    GROUP BY site, mac, step
),
-- A radio with several networks sets the bit of local administration in some of its addresses.
near AS
(
    SELECT DISTINCT mac AS bssid, candidate + toUInt64(offset) - toUInt64({reach:Float64}) AS wire_mac
    FROM beacons
    ARRAY JOIN arrayDistinct([mac, bitAnd(mac, 0xFDFFFFFFFFFF)]) AS candidate
    ARRAY JOIN range(2 * toUInt32({reach:Float64}) + 1) AS offset
),
wire AS
(
    SELECT site, mac AS wired, arraySlice(arraySort(groupUniqArray(vlan)), 1, 5) AS vlans
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source IN ('arp', 'ndp', 'dhcp_request', 'lldp', 'cdp', 'stp', 'ssdp', 'mdns', 'nbns')
        AND mac IN (SELECT wire_mac FROM near)
        -- Open networks of neighbours carry frames with addresses of their own.
        AND (toString(ip) IN ('::', '::ffff:0.0.0.0') OR startsWith(toString(ip), 'fe80:')
            OR arrayExists((a, b) -> ip BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}))
    GROUP BY site, mac
),
pairs AS
(
    SELECT site, bssid, argMin((wired, vlans), (abs(toInt64(wired) - toInt64(bitAnd(bssid, 0xFDFFFFFFFFFF))), wired)) AS nearest
    FROM near INNER JOIN wire ON near.wire_mac = wire.wired
    GROUP BY site, bssid
),
windows AS
(
    SELECT
        site, mac, step, samples,
        max(step_ssid) OVER w AS ssid,
        groupUniqArrayArray(step_channels) OVER w AS channels,
        groupUniqArrayArray(step_security) OVER w AS security,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM beacons
    WINDOW w AS (PARTITION BY site, mac ORDER BY step RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
matched AS
(
    SELECT
        windows.*, nearest.1 AS wired, nearest.2 AS vlans,
        least(abs(toInt64(wired) - toInt64(mac)), abs(toInt64(wired) - toInt64(bitAnd(mac, 0xFDFFFFFFFFFF)))) AS apart
    FROM windows INNER JOIN pairs ON windows.site = pairs.site AND windows.mac = pairs.bssid
)
SELECT
    site, step, `from`, `to`, toString(mac) AS subject,
    1 + {reach:Float64} - apart AS strength,
    map('distance', toFloat64(apart)) AS inputs,
    map(
        'mac', MACNumToString(wired), 'wired', MACNumToString(wired),
        'ssid', if(ssid = '', '(hidden)', left(ssid, 64)),
        'vlan', arrayStringConcat(arrayMap(v -> toString(v), vlans), ', '),
        'channels', if(empty(channels), 'unknown', arrayStringConcat(arraySlice(arraySort(channels), 1, 5), ', ')),
        'security', arrayStringConcat(arraySlice(arraySort(security), 1, 5), ' and ')) AS texts,
    85 AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM matched
