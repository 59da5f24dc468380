-- What says at which port of which switch a device is: DHCP's relay agent (RFC 3046), RADIUS, and the switch itself
-- (LLDP, CDP), whose frames name the port that they left it by. One row for each MAC, way and
-- VLAN, the latest; MAC 0 stands for every device of the VLAN.
SELECT
    mac, how, vlan,
    argMax((port_id, switch_id), (ts, port_id, switch_id)) AS latest, latest.1 AS port, latest.2 AS switch,
    uniqExact((port_id, switch_id)) AS places
FROM
(
    SELECT
        ts, vlan, if(source IN ('dhcp_request', 'dhcpv6') AND attributes['client_mac'] = '', mac, MACStringToNum(attributes['client_mac'])) AS mac,
        'DHCP option 82' AS how, attributes['circuit'] AS port_id,
        if(attributes['remote'] != '', attributes['remote'], attributes['relay']) AS switch_id
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts <= {to:DateTime64(6, 'UTC')}
        AND source IN ('dhcp_request', 'dhcp_offer', 'dhcp_ack', 'dhcpv6') AND attributes['circuit'] != ''
        AND mac IN {macs:Array(UInt64)}
    UNION ALL
    SELECT ts, vlan, mac, 'RADIUS' AS how, attributes['port'] AS port_id, attributes['nas'] AS switch_id
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts <= {to:DateTime64(6, 'UTC')}
        AND source = 'radius' AND attributes['port'] != '' AND mac IN {macs:Array(UInt64)}
    UNION ALL
    SELECT
        ts, if(attributes['vlan'] != '', toUInt16OrZero(attributes['vlan']), sightings.vlan) AS vlan, 0 AS mac, upper(toString(source)) AS how,
        value AS port_id, if(name != '', name, attributes['chassis']) AS switch_id
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts <= {to:DateTime64(6, 'UTC')}
        AND source IN ('lldp', 'cdp') AND value != ''
        AND hasAny(splitByChar(',', attributes['capabilities']), ['bridge', 'switch'])
        AND NOT has(splitByChar(',', attributes['capabilities']), 'telephone')
        AND (has({switch_macs:Array(UInt64)}, sightings.mac) OR has({switch_names:Array(String)}, lower(name))
            OR has({switch_macs:Array(UInt64)}, if(match(attributes['chassis'], '^([0-9a-f]{2}:){5}[0-9a-f]{2}$'), MACStringToNum(attributes['chassis']), 0)))
)
GROUP BY mac, how, vlan
ORDER BY mac, how, vlan
