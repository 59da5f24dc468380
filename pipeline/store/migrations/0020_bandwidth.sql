-- Schema version 4 (pipeline/records.py): bursts, by which adaptive streaming shows without a name.
-- `traffic_1h` holds the sums of `traffic_1m` by the hour, with the same keys. `link_5m` holds what a site
-- exchanged with addresses outside, in the five minutes by which links are billed (95th percentile).
-- Both are fed by `flows` itself, so each knows the tokens of what it already has. What was stored before is
-- summed here once; the views come after it, and a run that was cut short begins anew. No worker may
-- insert meanwhile.

ALTER TABLE flows ADD COLUMN IF NOT EXISTS bursts_down UInt16 CODEC(T64, ZSTD) AFTER reset_us;

DROP VIEW IF EXISTS traffic_1h_from_flows;
DROP VIEW IF EXISTS link_5m_from_flows;

CREATE TABLE IF NOT EXISTS traffic_1h (
    hour DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD),
    site LowCardinality(String),
    `group` LowCardinality(String),
    client IPv6 CODEC(ZSTD),
    service LowCardinality(String),
    category LowCardinality(String),
    application LowCardinality(String),
    name_source LowCardinality(String),
    action LowCardinality(String),
    bytes_up UInt64 CODEC(T64, ZSTD),
    bytes_down UInt64 CODEC(T64, ZSTD),
    packets_up UInt64 CODEC(T64, ZSTD),
    packets_down UInt64 CODEC(T64, ZSTD),
    flows UInt64 CODEC(T64, ZSTD),
    arrived SimpleAggregateFunction(max, DateTime64(0, 'UTC'))
        MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta, ZSTD)
)
ENGINE = SummingMergeTree((bytes_up, bytes_down, packets_up, packets_down, flows, arrived))
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, site, client, service, category, `group`, application, name_source, action)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 134217728;

CREATE TABLE IF NOT EXISTS link_5m (
    site LowCardinality(String),
    slot DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD),
    received UInt64 CODEC(T64, ZSTD),
    sent UInt64 CODEC(T64, ZSTD),
    arrived SimpleAggregateFunction(max, DateTime64(0, 'UTC'))
        MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta, ZSTD)
)
ENGINE = SummingMergeTree((received, sent, arrived))
PARTITION BY toYYYYMM(slot)
ORDER BY (site, slot)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 134217728;

TRUNCATE TABLE traffic_1h;
TRUNCATE TABLE link_5m;

INSERT INTO traffic_1h (hour, site, `group`, client, service, category, application, name_source, action,
    bytes_up, bytes_down, packets_up, packets_down, flows, arrived)
SELECT
    toStartOfHour(minute), site, `group`, client, service, category, application, name_source, action,
    bytes_up, bytes_down, packets_up, packets_down, flows, arrived
FROM traffic_1m
SETTINGS insert_allow_materialized_columns = 1, max_partitions_per_insert_block = 0, insert_deduplicate = 0;

-- An address is inside where it is private (RFC 1918, 4193, 6598), link-local, loopback or a group. Where both
-- ends are public, IPv6 addresses of one /48 are one site's (RFC 6177); else the client's side is the site.
-- Aliases: they cost nothing until they are selected.
ALTER TABLE flows ADD COLUMN IF NOT EXISTS client_inside UInt8 ALIAS
    client < toIPv6('::2') OR client >= toIPv6('fc00::')
    OR client BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:0.255.255.255')
    OR client BETWEEN toIPv6('::ffff:10.0.0.0') AND toIPv6('::ffff:10.255.255.255')
    OR client BETWEEN toIPv6('::ffff:100.64.0.0') AND toIPv6('::ffff:100.127.255.255')
    OR client BETWEEN toIPv6('::ffff:127.0.0.0') AND toIPv6('::ffff:127.255.255.255')
    OR client BETWEEN toIPv6('::ffff:169.254.0.0') AND toIPv6('::ffff:169.254.255.255')
    OR client BETWEEN toIPv6('::ffff:172.16.0.0') AND toIPv6('::ffff:172.31.255.255')
    OR client BETWEEN toIPv6('::ffff:192.168.0.0') AND toIPv6('::ffff:192.168.255.255')
    OR client BETWEEN toIPv6('::ffff:224.0.0.0') AND toIPv6('::ffff:255.255.255.255');
ALTER TABLE flows ADD COLUMN IF NOT EXISTS server_inside UInt8 ALIAS
    server < toIPv6('::2') OR server >= toIPv6('fc00::')
    OR server BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:0.255.255.255')
    OR server BETWEEN toIPv6('::ffff:10.0.0.0') AND toIPv6('::ffff:10.255.255.255')
    OR server BETWEEN toIPv6('::ffff:100.64.0.0') AND toIPv6('::ffff:100.127.255.255')
    OR server BETWEEN toIPv6('::ffff:127.0.0.0') AND toIPv6('::ffff:127.255.255.255')
    OR server BETWEEN toIPv6('::ffff:169.254.0.0') AND toIPv6('::ffff:169.254.255.255')
    OR server BETWEEN toIPv6('::ffff:172.16.0.0') AND toIPv6('::ffff:172.31.255.255')
    OR server BETWEEN toIPv6('::ffff:192.168.0.0') AND toIPv6('::ffff:192.168.255.255')
    OR server BETWEEN toIPv6('::ffff:224.0.0.0') AND toIPv6('::ffff:255.255.255.255');
ALTER TABLE flows ADD COLUMN IF NOT EXISTS crosses UInt8 ALIAS
    client_inside != server_inside
    OR NOT client_inside AND (client BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255')
        OR substring(reinterpretAsFixedString(client), 1, 6) != substring(reinterpretAsFixedString(server), 1, 6));

INSERT INTO link_5m (site, slot, received, sent, arrived)
SELECT
    site,
    toStartOfFiveMinutes(start) AS slot,
    sum(if(client_inside OR NOT server_inside, bytes_down, bytes_up)),
    sum(if(client_inside OR NOT server_inside, bytes_up, bytes_down)),
    max(flows.arrived)
FROM flows
WHERE crosses
GROUP BY site, slot
SETTINGS insert_allow_materialized_columns = 1, max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS traffic_1h_from_flows TO traffic_1h AS
SELECT
    toStartOfHour(start) AS hour,
    site,
    `group`,
    client,
    service,
    categories[1] AS category,
    application,
    name_source,
    action,
    sum(flows.bytes_up) AS bytes_up,
    sum(flows.bytes_down) AS bytes_down,
    sum(toUInt64(flows.packets_up)) AS packets_up,
    sum(toUInt64(flows.packets_down)) AS packets_down,
    countIf(flows.start = flows.first) AS flows
FROM flows
GROUP BY hour, site, `group`, client, service, category, application, name_source, action;

CREATE MATERIALIZED VIEW IF NOT EXISTS link_5m_from_flows TO link_5m AS
SELECT
    site,
    toStartOfFiveMinutes(start) AS slot,
    sum(if(client_inside OR NOT server_inside, bytes_down, bytes_up)) AS received,
    sum(if(client_inside OR NOT server_inside, bytes_up, bytes_down)) AS sent
FROM flows
WHERE crosses
GROUP BY site, slot;
