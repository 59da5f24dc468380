-- What was said of addresses and names, and holds for a time after: ARP, neighbour discovery, names, Kerberos,
-- frames of flows. Statements of ten minutes are one row. MACs before more than 8 IPv4 addresses in the hour are
-- routers': a statement of its own, and none about the addresses behind them.
WITH
routers AS
(
    SELECT site, mac FROM
    (
        SELECT toString(site) AS site, mac, ip FROM sightings
        WHERE ts >= {hour:DateTime64(6, 'UTC')} AND ts < {hour:DateTime64(6, 'UTC')} + INTERVAL 1 HOUR
            AND source = 'arp' AND mac != 0 AND ip != toIPv6('::')
        UNION ALL
        SELECT toString(site) AS site, client_mac AS mac, client AS ip FROM hosts_1h
        WHERE hour = toStartOfHour({hour:DateTime64(6, 'UTC')})
            AND client BETWEEN toIPv6('::ffff:0.0.0.1') AND toIPv6('::ffff:255.255.255.254')
    )
    GROUP BY site, mac
    HAVING uniqUpTo(8)(ip) > 8 OR has({router_macs:Array(UInt64)}, mac)
),
said AS
(
    SELECT
        toString(site) AS site, toString(source) AS by, toUnixTimestamp64Micro(ts) AS us, vlan, ip,
        attributes['type'] AS kind,
        by IN ('dhcp_ack', 'dhcpv6') AND kind IN ('ack', 'reply') AS by_server,
        if(by_server, MACStringToNum(attributes['client_mac']), mac) AS mac,
        lowerUTF8(name) AS principal,
        substring(principal, 1, greatest(position(principal, '/'), 1) - 1) AS service,
        by = 'kerberos' AND (endsWith(principal, '$') OR service = 'host') AS machine,
        leftUTF8(toValidUTF8(multiIf(
            by_server, attributes['client_name'],
            by IN ('dhcp_request', 'dhcpv6', 'mdns', 'nbns'), name,
            machine, trimRight(substring(principal, if(service = 'host', 6, 1)), '$'),
            '')), 255) AS said_name,
        if(by = 'kerberos' AND NOT machine AND service NOT IN {services:Array(String)}
            AND principal NOT IN {nobody:Array(String)}, leftUTF8(toValidUTF8(concat(principal, '@', lowerUTF8(value))), 255), '') AS said_user
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source IN ('arp', 'ndp', 'dhcp_request', 'dhcp_ack', 'dhcpv6', 'mdns', 'nbns', 'kerberos')
        AND multiIf(
            source = 'arp', mac != 0 AND ip != toIPv6('::') AND attributes['sent_by'] = '',
            source = 'ndp', mac != 0 AND ip != toIPv6('::')
                AND attributes['op'] IN ('router_solicitation', 'solicitation', 'advertisement', 'announcement'),
            source = 'kerberos', name != '' AND ip != toIPv6('::') AND attributes['type'] IN ('as_reply', 'tgs_reply'),
            source = 'dhcp_ack', attributes['client_name'] != '' AND attributes['client_mac'] != '',
            source = 'dhcpv6' AND attributes['type'] = 'reply',
                attributes['client_name'] != '' AND attributes['client_mac'] != '',
            source = 'dhcp_request' OR source = 'dhcpv6', name != '' AND mac != 0,
            name != '' AND (mac != 0 OR ip != toIPv6('::')))
),
statements AS
(
    SELECT
        site, us, us + 1000000 * transform(source, {sources:Array(String)}, {valid_s:Array(Int64)}, 0) AS until,
        mac, said_name AS name, said_user AS user,
        by IN ('dhcp_request', 'dhcp_ack', 'dhcpv6') AS of_device,
        if(of_device, 'dhcp_name', by) AS source,
        if(of_device, toIPv6('::'), ip) AS ip,
        toUInt16(if(of_device, 0, vlan)) AS vlan
    FROM said
    WHERE by IN ('arp', 'ndp') OR name != '' OR user != ''
    UNION ALL
    SELECT
        toString(site),
        greatest(toUnixTimestamp64Micro(min(first)), toUnixTimestamp64Micro({from:DateTime64(6, 'UTC')})) AS us,
        -- In whole ten minutes, or every round would write every host again.
        600000000 * (1 + intDiv(least(toUnixTimestamp64Micro(max(last)), toUnixTimestamp64Micro({to:DateTime64(6, 'UTC')})), 600000000)),
        client_mac, '', '', 0, 'flows', client, vlan
    FROM hosts_1h
    WHERE hour = toStartOfHour({hour:DateTime64(6, 'UTC')})
        AND first < {to:DateTime64(6, 'UTC')} AND last >= {from:DateTime64(6, 'UTC')}
        AND client NOT IN (toIPv6('::'), toIPv6('::ffff:0.0.0.0'))
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
    GROUP BY site, client_mac, client, vlan
    UNION ALL
    SELECT site, toUnixTimestamp64Micro({hour:DateTime64(6, 'UTC')}) AS us, us + 3600000000, mac, '', '', 0, 'router', toIPv6('::'), 0 FROM routers
),
claims AS
(
    SELECT
        site, ip, vlan, if(source IN ('mdns', 'nbns', 'kerberos') AND (site, mac) IN routers, toUInt64(0), mac) AS mac,
        name, user, '' AS session, source, us, until
    FROM statements
    WHERE source NOT IN ('arp', 'ndp', 'flows') OR (site, mac) NOT IN routers
)
SELECT
    site, ip, vlan, mac, name, user, session, source, min(us) AS began, max(until) AS ended, count() AS said,
    sipHash64(site, ip, vlan, mac, name, user, session, source) AS key
FROM claims
GROUP BY site, ip, vlan, mac, name, user, session, source, intDiv(us, 600000000)
