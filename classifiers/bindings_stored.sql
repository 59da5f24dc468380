-- Stored bindings that statements between two times can touch: of the addresses and devices that they name.
WITH
named AS
(
    SELECT site, ip, mac FROM
    (
        SELECT toString(site) AS site, ip, mac FROM sightings
        WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        UNION ALL
        SELECT
            toString(site), toIPv6OrDefault(if(source IN ('dhcp_ack', 'dhcpv6'), value, attributes['requested'])),
            MACStringToNum(if(attributes['client_mac'] != '', attributes['client_mac'], attributes['duid_mac']))
        FROM sightings
        WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')} AND source IN ('dhcp_ack', 'dhcpv6')
        UNION ALL
        SELECT toString(site), client, client_mac FROM hosts_1h
        WHERE hour = toStartOfHour({hour:DateTime64(6, 'UTC')})
            AND first < {to:DateTime64(6, 'UTC')} AND last >= {from:DateTime64(6, 'UTC')}
    )
),
found AS
(
    SELECT * FROM bindings FINAL
    WHERE (ip IN (SELECT DISTINCT ip FROM named WHERE ip != toIPv6('::'))
            OR ip = toIPv6('::') AND mac IN (SELECT DISTINCT mac FROM named))
        AND `from` <= {to:DateTime64(6, 'UTC')} + INTERVAL 2 DAY AND `to` >= {from:DateTime64(6, 'UTC')} - INTERVAL 1 HOUR
    UNION DISTINCT
    SELECT * FROM bindings FINAL
    WHERE source = 'radius' AND mac IN
        (
            SELECT mac FROM sightings
            WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')} AND source = 'radius' AND mac != 0
        )
        AND `from` <= {to:DateTime64(6, 'UTC')} + INTERVAL 2 DAY AND `to` >= {from:DateTime64(6, 'UTC')} - INTERVAL 1 HOUR
)
SELECT
    toString(site) AS site, ip, vlan, mac, name, user, session, toString(source) AS source,
    toUnixTimestamp64Micro(`from`) AS began, toUnixTimestamp64Micro(`to`) AS ended,
    sipHash64(site, source, if(source = 'radius' AND mac != 0, toString(mac), toString(ip))) AS resource,
    sipHash64(multiIf(source != 'radius', toString(mac), session != '', session, user)) AS holder,
    sipHash64(site, ip, vlan, mac, name, user, session, source) AS key
FROM found
SETTINGS use_skip_indexes_if_final = 1
