-- title: Internet gateway that is not approved, by UPnP
-- class: equipment
-- states: {subject} ({mac}, VLAN {vlan}{place}) announced itself by SSDP as {types} in {window} to {to}: a router, or a computer that
--   shares its connection. It is on no list of routers or access points. {software}
-- subject: host
-- severity: medium
-- clause: S9d, L K17
-- window: 1h
-- step: 1m
-- lookback: 0s
-- reads: sightings
-- rests_on: presence
-- parameter announcements: 1 | [K] | different announcements or answers (UPnP Internet Gateway Device 2.0)
WITH
steps AS
(
    SELECT
        site, ip, mac, vlan,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_count,
        arraySort(groupUniqArray(extract(lower(value || ' ' || attributes['usn']), '(internetgatewaydevice|wandevice|wanconnectiondevice|wanipconnection|wanpppconnection|wfadevice|wlanaccesspointdevice)'))) AS step_types,
        max(attributes['server']) AS step_software,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, vlan, source, mac, ip, value, attributes)) AS samples
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        -- Who searches for a gateway is none.
        AND source = 'ssdp' AND attributes['type'] IN ('alive', 'update', 'response')
        -- The last two are access points': of WPS (Wi-Fi Alliance) and of UPnP's WLANAccessPointDevice 1.0.
        AND match(lower(value || ' ' || attributes['usn']), 'internetgatewaydevice|wandevice|wanconnectiondevice|wanipconnection|wanpppconnection|wfadevice|wlanaccesspointdevice')
        AND NOT has({approved_routers:Array(IPv6)}, ip) AND NOT has({router_macs:Array(UInt64)}, mac)
        AND NOT has({access_point_macs:Array(UInt64)}, mac)
    GROUP BY site, ip, mac, vlan, step
),
windows AS
(
    SELECT
        site, ip, mac, vlan, step, samples,
        sum(step_count) OVER w AS told,
        arraySort(groupUniqArrayArray(step_types) OVER w) AS types,
        max(step_software) OVER w AS software,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, ip, mac, vlan ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(ip) AS subject,
    toFloat64(length(types)) + told / 1000. AS strength,
    map('announcements_seen', toFloat64(told), 'types_seen', toFloat64(length(types))) AS inputs,
    map(
        'mac', MACNumToString(mac), 'vlan', toString(vlan),
        'types', arrayStringConcat(arrayMap(t -> transform(t,
            ['internetgatewaydevice', 'wandevice', 'wanconnectiondevice', 'wanipconnection', 'wanpppconnection', 'wfadevice', 'wlanaccesspointdevice'],
            ['InternetGatewayDevice', 'WANDevice', 'WANConnectionDevice', 'WANIPConnection', 'WANPPPConnection', 'WFADevice', 'WLANAccessPointDevice'], t), types), ', '),
        'software', if(software = '', '', 'Its software: ' || left(software, 120))) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE told >= {announcements:Float64}
