-- The columns that 0032 wrote distances for become aliases: to read them is as before, to keep them costs nothing. A row of
-- `flows` is inserted with the distances (pipeline/store/distances.py). No worker may insert meanwhile.

DROP VIEW IF EXISTS rows_from_flows;

ALTER TABLE flows MODIFY COLUMN lasted Int64 DEFAULT 0 COMMENT 'from start to end, µs';
ALTER TABLE flows MODIFY COLUMN since_first Int64 DEFAULT 0 COMMENT 'from first to start, µs';
ALTER TABLE flows MODIFY COLUMN framing_up Int64 DEFAULT 0 COMMENT 'bytes_up less payload_up';
ALTER TABLE flows MODIFY COLUMN framing_down Int64 DEFAULT 0 COMMENT 'bytes_down less payload_down';
ALTER TABLE flows MODIFY COLUMN unacked_down Int64 DEFAULT 0
    COMMENT 'TCP: payload_down less acked_down; others: 0 less acked_down';

-- It names some of them.
ALTER TABLE flows DROP COLUMN IF EXISTS hollow SETTINGS mutations_sync = 2, alter_sync = 2;

ALTER TABLE flows
    DROP COLUMN IF EXISTS end,
    DROP COLUMN IF EXISTS first,
    DROP COLUMN IF EXISTS acked_down,
    DROP COLUMN IF EXISTS payload_up,
    DROP COLUMN IF EXISTS payload_down
    SETTINGS mutations_sync = 2, alter_sync = 2;

ALTER TABLE flows ADD COLUMN IF NOT EXISTS end DateTime64(6, 'UTC')
    ALIAS fromUnixTimestamp64Micro(toUnixTimestamp64Micro(start) + lasted, 'UTC');
ALTER TABLE flows ADD COLUMN IF NOT EXISTS first DateTime64(6, 'UTC')
    ALIAS fromUnixTimestamp64Micro(toUnixTimestamp64Micro(start) - since_first, 'UTC');
ALTER TABLE flows ADD COLUMN IF NOT EXISTS payload_up UInt64 ALIAS bytes_up - framing_up;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS payload_down UInt64 ALIAS bytes_down - framing_down;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS acked_down UInt64 ALIAS if(protocol = 6, payload_down, 0) - unacked_down;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS hollow Bool ALIAS
    protocol = 6 AND packets_down > 0 AND payload_up = 0 AND payload_down = 0 AND bitAnd(flags_up, 2) = 2
    AND state IN ('SF', 'RSTO', 'RSTR', 'S2', 'S3');

-- The differences are small numbers: without the bits that all of a block lack they pack better.
ALTER TABLE flows MODIFY COLUMN start CODEC(Delta, T64, ZSTD);

CREATE MATERIALIZED VIEW IF NOT EXISTS rows_from_flows TO flows_to_sum AS
SELECT
    start, end, site, `group`, client, client_mac, vlan, service, categories[1] AS category, application, name_source,
    action, sight, bytes_up, bytes_down, toUInt64(flows.packets_up) AS packets_up,
    toUInt64(flows.packets_down) AS packets_down,
    since_first = 0 AS begun,
    crosses,
    if(client_inside OR NOT server_inside, bytes_down, bytes_up) AS received,
    if(client_inside OR NOT server_inside, bytes_up, bytes_down) AS sent,
    failed AND server_name = ''
        AND (protocol != 17 OR application NOT IN
            ('dns', 'quic', 'stun', 'rtp', 'bittorrent', 'gnutella', 'ethereum', 'ntp', 'mdns', 'ssdp', 'llmnr', 'nbns',
            'dhcp', 'dhcpv6'))
        AND NOT (server BETWEEN toIPv6('::ffff:224.0.0.0') AND toIPv6('::ffff:255.255.255.255'))
        AND server < toIPv6('ff00::') AS in_vain,
    server,
    if(protocol IN (1, 58), 0, server_port) AS port,
    protocol
FROM flows;
