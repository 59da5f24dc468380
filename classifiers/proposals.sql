-- What acted as a server, router, switch or access point of ours in a span, for the lists of `[approved]`. One row for
-- each key of that table, site and value; `days` are days (UTC) with such an act, `watched` days with any sighting.
WITH
span AS
(
    SELECT *, toDate(ts) AS day FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source IN ('dhcp_offer', 'dhcp_ack', 'dhcpv6', 'ra', 'arp', 'lldp', 'cdp', 'stp', 'beacon')
        AND (empty({sites:Array(String)}) OR has({sites:Array(String)}, site))
),
watched AS (SELECT site, uniqExact(day) AS days FROM span GROUP BY site),
gateways AS
(
    SELECT DISTINCT site, toIPv6OrDefault(arrayJoin(splitByChar(',', attributes['router']))) AS ip
    FROM span WHERE source IN ('dhcp_offer', 'dhcp_ack') AND attributes['router'] != ''
),
acts AS
(
    SELECT 'dhcp' AS key, site, toString(ip) AS value, mac, vlan, day, ts, attributes['client_mac'] AS peer, name
    FROM span WHERE source IN ('dhcp_offer', 'dhcp_ack') AND attributes['type'] != 'nak'
    UNION ALL
    SELECT 'dhcpv6', site, toString(ip), mac, vlan, day, ts, attributes['client_mac'], name
    FROM span WHERE source = 'dhcpv6' AND attributes['type'] IN ('advertise', 'reply', 'reconfigure')
    UNION ALL
    SELECT 'routers', site, toString(ip), mac, vlan, day, ts, '', name FROM span WHERE source = 'ra' AND attributes['lease'] != '0'
    UNION ALL
    SELECT 'routers', site, toString(ip), mac, vlan, day, ts, value, name FROM span
    WHERE source = 'arp' AND (site, ip) IN (SELECT site, ip FROM gateways)
    UNION ALL
    SELECT 'router_macs', site, lower(MACNumToString(mac)), mac, vlan, day, ts, toString(ip), name FROM span
    WHERE (source = 'ra' AND attributes['lease'] != '0') OR (source = 'arp' AND (site, ip) IN (SELECT site, ip FROM gateways))
    UNION ALL
    SELECT
        'switches', site,
        multiIf(source = 'stp', arrayElement(splitByChar('.', attributes['bridge']), 2),
            match(attributes['chassis'], '^([0-9a-f]{2}:){5}[0-9a-f]{2}$'), attributes['chassis'], lower(MACNumToString(mac))),
        mac, vlan, day, ts, '', name
    FROM span
    WHERE source IN ('lldp', 'cdp', 'stp') AND attributes['type'] NOT IN ('tcn', 'shutdown')
        AND (source = 'stp' OR hasAny(splitByChar(',', attributes['capabilities']), ['bridge', 'switch', 'router', 'repeater', 'access_point']))
        AND NOT has(splitByChar(',', attributes['capabilities']), 'telephone')
    UNION ALL
    SELECT 'access_points', site, lower(MACNumToString(mac)), mac, vlan, day, ts, attributes['security'], value FROM span
    WHERE source = 'beacon' AND has(arrayMap(s -> lower(trimBoth(s)), {ssids:Array(String)}), lower(trimBoth(value)))
)
SELECT
    key, acts.site AS site, value,
    arraySlice(arraySort(groupUniqArray(acts.mac)), 1, 4) AS macs, arraySlice(arraySort(groupUniqArray(vlan)), 1, 8) AS vlans,
    uniqExact(day) AS days, any(watched.days) AS watched, count() AS times, uniqExactIf(peer, peer != '') AS peers,
    max(name) AS name, min(ts) AS first, max(ts) AS last
FROM acts INNER JOIN watched ON acts.site = watched.site
WHERE value NOT IN ('', '::', '::ffff:0.0.0.0')
GROUP BY key, site, value
ORDER BY key, site, value
