-- What is held until its end: leases of DHCP and DHCPv6, sessions of RADIUS accounting. A row is a statement:
-- `resource` is whose holder it tells, an address or (of sessions) a device, `holder` who that is, `valid` for how
-- long, µs; 0: it ends now.
WITH
events AS
(
    SELECT
        toString(sightings.site) AS seen_at, toUnixTimestamp64Micro(ts) AS us,
        multiIf(source = 'radius', 'radius', source = 'dhcpv6', 'dhcpv6', 'dhcp') AS by,
        attributes['type'] AS kind,
        kind IN ('ack', 'reply') AS by_server,
        multiIf(by_server, toIPv6OrDefault(value), by = 'dhcpv6', toIPv6OrDefault(attributes['requested']), ip) AS held_ip,
        if(by = 'radius' OR attributes['relay'] != '', toUInt16(0), vlan) AS held_vlan,
        if(by_server, MACStringToNum(if(attributes['client_mac'] != '', attributes['client_mac'], attributes['duid_mac'])), mac) AS held_mac,
        leftUTF8(toValidUTF8(lowerUTF8(if(by = 'radius', name, ''))), 255) AS principal,
        replaceRegexpAll(principal, '[-:.]', '') AS bare,
        startsWith(principal, 'host/') OR endsWith(principal, '$') AS machine,
        if(machine, trimRight(substring(principal, if(startsWith(principal, 'host/'), 6, 1)), '$'), '') AS held_name,
        if(machine OR principal IN {nobody:Array(String)} OR startsWith(principal, 'anonymous@')
            OR match(bare, '^[0-9a-f]{12}$'), '', principal) AS held_user,
        if(by = 'radius', leftUTF8(toValidUTF8(attributes['session']), 255), '') AS held_session,
        1000000 * least(multiIf(
            kind IN ('release', 'decline') OR value = 'stop' AND by = 'radius', 0,
            by = 'radius', 4000000000,
            toInt64OrZero(attributes['lease'])), transform(by, {sources:Array(String)}, {valid_s:Array(Int64)}, 0)) AS valid
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND multiIf(
            source = 'dhcp_ack', attributes['type'] = 'ack' AND attributes['lease'] != '' AND value != '',
            source = 'dhcp_request', attributes['type'] IN ('release', 'decline') AND ip != toIPv6('::'),
            source = 'dhcpv6', attributes['type'] = 'reply' AND attributes['lease'] != ''
                OR attributes['type'] IN ('release', 'decline') AND attributes['requested'] != '',
            source = 'radius', attributes['type'] = 'accounting' AND value IN ('start', 'interim', 'stop'),
            0)
),
told AS
(
    SELECT
        -- The server's site is not the client's where one server has many.
        if(arrayFirstIndex((a, b) -> held_ip BETWEEN a AND b, {site_from:Array(IPv6)}, {site_to:Array(IPv6)}) AS place = 0,
            seen_at, ({site_ids:Array(String)})[place]) AS site,
        by AS source, us, held_ip AS ip, held_vlan AS vlan, held_mac AS mac, held_name AS name, held_user AS user,
        held_session AS session, valid
    FROM events
    WHERE if(source = 'radius', (mac != 0 OR ip != toIPv6('::')) AND (user != '' OR name != '' OR ip != toIPv6('::')),
        mac != 0 AND ip != toIPv6('::'))
)
SELECT
    *, sipHash64(site, source, if(source = 'radius' AND mac != 0, toString(mac), toString(ip))) AS resource,
    sipHash64(multiIf(source != 'radius', toString(mac), session != '', session, user)) AS holder,
    sipHash64(site, ip, vlan, mac, name, user, session, source) AS key
FROM told
