-- Coarse sums hang on fine ones, whose inserted blocks are several times smaller than those of `flows`, and one view
-- reads `flows`: each view over so wide a table costs an insert milliseconds before its first row. `flows_to_sum`
-- keeps nothing; it hands on what the sums need of a row. Each sum still knows the tokens of what it already has.
-- Tables, and what is in them, stay as they are. No worker may insert meanwhile.

DROP VIEW IF EXISTS traffic_1m_from_flows;
DROP VIEW IF EXISTS traffic_1h_from_flows;
DROP VIEW IF EXISTS sites_5m_from_flows;
DROP VIEW IF EXISTS sites_1h_from_flows;
DROP VIEW IF EXISTS usage_1h_from_flows;
DROP VIEW IF EXISTS link_5m_from_flows;
DROP VIEW IF EXISTS sight_1m_from_flows;
DROP VIEW IF EXISTS hosts_1h_from_flows;
DROP VIEW IF EXISTS failed_1h_from_flows;

-- The same answers as before, of numbers instead of comparisons of 16 bytes: 0/8, 10/8, 127/8, 100.64/10, 172.16/12,
-- 169.254/16, 192.168/16, 224/3; ::, ::1 and fc00::/6 with all behind it. Of two public ends, the first 48 bits.
ALTER TABLE flows MODIFY COLUMN client_inside UInt8 ALIAS
    if(bitShiftRight(toUInt128(client), 32) = 0xFFFF,
        bitShiftRight(toUInt32(toUInt128(client)), 24) IN (0, 10, 127)
        OR bitShiftRight(toUInt32(toUInt128(client)), 22) = 0x191
        OR bitShiftRight(toUInt32(toUInt128(client)), 20) = 0xAC1
        OR bitShiftRight(toUInt32(toUInt128(client)), 16) IN (0xA9FE, 0xC0A8)
        OR toUInt32(toUInt128(client)) >= 0xE0000000,
        toUInt128(client) < 2 OR bitShiftRight(toUInt128(client), 121) >= 126);
ALTER TABLE flows MODIFY COLUMN server_inside UInt8 ALIAS
    if(bitShiftRight(toUInt128(server), 32) = 0xFFFF,
        bitShiftRight(toUInt32(toUInt128(server)), 24) IN (0, 10, 127)
        OR bitShiftRight(toUInt32(toUInt128(server)), 22) = 0x191
        OR bitShiftRight(toUInt32(toUInt128(server)), 20) = 0xAC1
        OR bitShiftRight(toUInt32(toUInt128(server)), 16) IN (0xA9FE, 0xC0A8)
        OR toUInt32(toUInt128(server)) >= 0xE0000000,
        toUInt128(server) < 2 OR bitShiftRight(toUInt128(server), 121) >= 126);
ALTER TABLE flows MODIFY COLUMN crosses UInt8 ALIAS
    client_inside != server_inside
    OR NOT client_inside AND (bitShiftRight(toUInt128(client), 32) = 0xFFFF
        OR bitShiftRight(toUInt128(client), 80) != bitShiftRight(toUInt128(server), 80));

CREATE TABLE IF NOT EXISTS flows_to_sum (
    start DateTime64(6, 'UTC'),
    end DateTime64(6, 'UTC'),
    site LowCardinality(String),
    `group` LowCardinality(String),
    client IPv6,
    client_mac UInt64,
    vlan UInt16,
    service LowCardinality(String),
    category LowCardinality(String),
    application LowCardinality(String),
    name_source LowCardinality(String),
    action LowCardinality(String),
    sight LowCardinality(String),
    bytes_up UInt64,
    bytes_down UInt64,
    packets_up UInt64,
    packets_down UInt64,
    begun UInt8 COMMENT 'the first row of its flow',
    crosses UInt8,
    received UInt64 COMMENT 'bytes of the link, where it crosses it',
    sent UInt64,
    in_vain UInt8 COMMENT 'failed, and neither to a name that was resolved nor to a peer',
    server IPv6,
    port UInt16,
    protocol UInt8
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS traffic_1m_from_rows TO traffic_1m AS
SELECT
    toStartOfMinute(start) AS minute, site, `group`, client, service, category, application, name_source, action,
    sum(flows_to_sum.bytes_up) AS bytes_up,
    sum(flows_to_sum.bytes_down) AS bytes_down,
    sum(flows_to_sum.packets_up) AS packets_up,
    sum(flows_to_sum.packets_down) AS packets_down,
    sum(begun) AS flows
FROM flows_to_sum
GROUP BY minute, site, `group`, client, service, category, application, name_source, action;

CREATE MATERIALIZED VIEW IF NOT EXISTS traffic_1h_from_minutes TO traffic_1h AS
SELECT
    toStartOfHour(minute) AS hour, site, `group`, client, service, category, application, name_source, action,
    sum(traffic_1m.bytes_up) AS bytes_up,
    sum(traffic_1m.bytes_down) AS bytes_down,
    sum(traffic_1m.packets_up) AS packets_up,
    sum(traffic_1m.packets_down) AS packets_down,
    sum(traffic_1m.flows) AS flows
FROM traffic_1m
GROUP BY hour, site, `group`, client, service, category, application, name_source, action;

CREATE MATERIALIZED VIEW IF NOT EXISTS usage_1h_from_hours TO usage_1h AS
SELECT
    hour, site, client,
    sum(traffic_1h.bytes_up) AS bytes_up,
    sum(traffic_1h.bytes_down) AS bytes_down,
    sum(traffic_1h.packets_up) AS packets_up,
    sum(traffic_1h.packets_down) AS packets_down,
    sum(traffic_1h.flows) AS flows,
    sumIf(traffic_1h.bytes_up + traffic_1h.bytes_down, name_source = 'none') AS by_none,
    sumIf(traffic_1h.bytes_up + traffic_1h.bytes_down, name_source = 'sni') AS by_sni,
    sumIf(traffic_1h.bytes_up + traffic_1h.bytes_down, name_source = 'quic') AS by_quic,
    sumIf(traffic_1h.bytes_up + traffic_1h.bytes_down, name_source = 'http') AS by_http,
    sumIf(traffic_1h.bytes_up + traffic_1h.bytes_down, name_source = 'dns') AS by_dns
FROM traffic_1h
GROUP BY hour, site, client;

CREATE MATERIALIZED VIEW IF NOT EXISTS sites_5m_from_minutes TO sites_5m AS
SELECT
    toStartOfFiveMinutes(minute) AS slot, site, `group`, service, category, application, name_source,
    sum(traffic_1m.bytes_up) AS bytes_up,
    sum(traffic_1m.bytes_down) AS bytes_down,
    sum(traffic_1m.packets_up) AS packets_up,
    sum(traffic_1m.packets_down) AS packets_down,
    sum(traffic_1m.flows) AS flows
FROM traffic_1m
GROUP BY slot, site, `group`, service, category, application, name_source;

CREATE MATERIALIZED VIEW IF NOT EXISTS sites_1h_from_slots TO sites_1h AS
SELECT
    toStartOfHour(slot) AS hour, site, `group`, service, category, application, name_source,
    sum(sites_5m.bytes_up) AS bytes_up,
    sum(sites_5m.bytes_down) AS bytes_down,
    sum(sites_5m.packets_up) AS packets_up,
    sum(sites_5m.packets_down) AS packets_down,
    sum(sites_5m.flows) AS flows
FROM sites_5m
GROUP BY hour, site, `group`, service, category, application, name_source;

CREATE MATERIALIZED VIEW IF NOT EXISTS link_5m_from_rows TO link_5m AS
SELECT
    site,
    toStartOfFiveMinutes(start) AS slot,
    sum(flows_to_sum.received) AS received,
    sum(flows_to_sum.sent) AS sent
FROM flows_to_sum
WHERE crosses
GROUP BY site, slot;

CREATE MATERIALIZED VIEW IF NOT EXISTS sight_1m_from_rows TO sight_1m AS
SELECT
    toStartOfMinute(start) AS minute, site, `group`, sight,
    sum(bytes_up + bytes_down) AS bytes,
    sum(begun) AS flows
FROM flows_to_sum
GROUP BY minute, site, `group`, sight;

CREATE MATERIALIZED VIEW IF NOT EXISTS hosts_1h_from_rows TO hosts_1h AS
SELECT
    toStartOfHour(start) AS hour, site, client, client_mac, vlan,
    min(start) AS first,
    max(end) AS last
FROM flows_to_sum
WHERE client_mac != 0
GROUP BY hour, site, client, client_mac, vlan;

CREATE MATERIALIZED VIEW IF NOT EXISTS failed_1h_from_rows TO failed_1h AS
SELECT
    toStartOfHour(start) AS hour, site, client, server, port, protocol,
    min(start) AS first,
    max(start) AS last
FROM flows_to_sum
WHERE in_vain
GROUP BY hour, site, client, server, port, protocol;

CREATE MATERIALIZED VIEW IF NOT EXISTS rows_from_flows TO flows_to_sum AS
SELECT
    start, end, site, `group`, client, client_mac, vlan, service, categories[1] AS category, application, name_source,
    action, sight, bytes_up, bytes_down, toUInt64(flows.packets_up) AS packets_up,
    toUInt64(flows.packets_down) AS packets_down,
    start = first AS begun,
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
