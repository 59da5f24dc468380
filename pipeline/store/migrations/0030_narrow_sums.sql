-- Sums for what is asked over days and months of many hosts: `sites_5m` and `sites_1h` without the client,
-- `usage_1h` with nothing beside it. All are fed by `flows` itself, so each knows the tokens of what it already has.
-- What was stored before is summed here once; the views come after it, and a run that was cut short begins anew. No worker
-- may insert meanwhile.

DROP VIEW IF EXISTS sites_5m_from_flows;
DROP VIEW IF EXISTS sites_1h_from_flows;
DROP VIEW IF EXISTS usage_1h_from_flows;

CREATE TABLE IF NOT EXISTS sites_5m (
    slot DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD),
    site LowCardinality(String),
    `group` LowCardinality(String),
    service LowCardinality(String),
    category LowCardinality(String),
    application LowCardinality(String),
    name_source LowCardinality(String),
    bytes_up UInt64 CODEC(T64, ZSTD),
    bytes_down UInt64 CODEC(T64, ZSTD),
    packets_up UInt64 CODEC(T64, ZSTD),
    packets_down UInt64 CODEC(T64, ZSTD),
    flows UInt64 CODEC(T64, ZSTD),
    arrived SimpleAggregateFunction(max, DateTime64(0, 'UTC'))
        MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta, ZSTD)
)
ENGINE = SummingMergeTree((bytes_up, bytes_down, packets_up, packets_down, flows, arrived))
PARTITION BY toYYYYMM(slot)
ORDER BY (slot, site, `group`, service, category, application, name_source)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 134217728;

CREATE TABLE IF NOT EXISTS sites_1h (
    hour DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD),
    site LowCardinality(String),
    `group` LowCardinality(String),
    service LowCardinality(String),
    category LowCardinality(String),
    application LowCardinality(String),
    name_source LowCardinality(String),
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
ORDER BY (hour, site, `group`, service, category, application, name_source)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 134217728;

-- By where the name came from that gave the service, there is a sum each.
CREATE TABLE IF NOT EXISTS usage_1h (
    hour DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD),
    site LowCardinality(String),
    client IPv6 CODEC(ZSTD),
    bytes_up UInt64 CODEC(T64, ZSTD),
    bytes_down UInt64 CODEC(T64, ZSTD),
    packets_up UInt64 CODEC(T64, ZSTD),
    packets_down UInt64 CODEC(T64, ZSTD),
    flows UInt64 CODEC(T64, ZSTD),
    by_none UInt64 CODEC(T64, ZSTD),
    by_sni UInt64 CODEC(T64, ZSTD),
    by_quic UInt64 CODEC(T64, ZSTD),
    by_http UInt64 CODEC(T64, ZSTD),
    by_dns UInt64 CODEC(T64, ZSTD),
    arrived SimpleAggregateFunction(max, DateTime64(0, 'UTC'))
        MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta, ZSTD)
)
ENGINE = SummingMergeTree((bytes_up, bytes_down, packets_up, packets_down, flows, by_none, by_sni, by_quic, by_http, by_dns, arrived))
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, site, client)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 134217728;

TRUNCATE TABLE sites_5m;
TRUNCATE TABLE sites_1h;
TRUNCATE TABLE usage_1h;

INSERT INTO sites_5m (slot, site, `group`, service, category, application, name_source,
    bytes_up, bytes_down, packets_up, packets_down, flows, arrived)
SELECT
    toStartOfFiveMinutes(minute) AS slot, site, `group`, service, category, application, name_source,
    sum(t.bytes_up), sum(t.bytes_down), sum(t.packets_up), sum(t.packets_down), sum(t.flows), max(t.arrived)
FROM traffic_1m AS t
GROUP BY slot, site, `group`, service, category, application, name_source
SETTINGS insert_allow_materialized_columns = 1, max_partitions_per_insert_block = 0, insert_deduplicate = 0,
    max_bytes_before_external_group_by = 1000000000;

INSERT INTO sites_1h (hour, site, `group`, service, category, application, name_source,
    bytes_up, bytes_down, packets_up, packets_down, flows, arrived)
SELECT
    toStartOfHour(slot) AS hour, site, `group`, service, category, application, name_source,
    sum(t.bytes_up), sum(t.bytes_down), sum(t.packets_up), sum(t.packets_down), sum(t.flows), max(t.arrived)
FROM sites_5m AS t
GROUP BY hour, site, `group`, service, category, application, name_source
SETTINGS insert_allow_materialized_columns = 1, max_partitions_per_insert_block = 0, insert_deduplicate = 0,
    max_bytes_before_external_group_by = 1000000000;

INSERT INTO usage_1h (hour, site, client, bytes_up, bytes_down, packets_up, packets_down, flows,
    by_none, by_sni, by_quic, by_http, by_dns, arrived)
SELECT
    hour, site, client,
    sum(t.bytes_up), sum(t.bytes_down), sum(t.packets_up), sum(t.packets_down), sum(t.flows),
    sumIf(t.bytes_up + t.bytes_down, name_source = 'none'), sumIf(t.bytes_up + t.bytes_down, name_source = 'sni'),
    sumIf(t.bytes_up + t.bytes_down, name_source = 'quic'), sumIf(t.bytes_up + t.bytes_down, name_source = 'http'),
    sumIf(t.bytes_up + t.bytes_down, name_source = 'dns'), max(t.arrived)
FROM traffic_1h AS t
GROUP BY hour, site, client
SETTINGS insert_allow_materialized_columns = 1, max_partitions_per_insert_block = 0, insert_deduplicate = 0,
    max_bytes_before_external_group_by = 1000000000;

CREATE MATERIALIZED VIEW IF NOT EXISTS sites_5m_from_flows TO sites_5m AS
SELECT
    toStartOfFiveMinutes(start) AS slot, site, `group`, service, categories[1] AS category, application, name_source,
    sum(flows.bytes_up) AS bytes_up,
    sum(flows.bytes_down) AS bytes_down,
    sum(toUInt64(flows.packets_up)) AS packets_up,
    sum(toUInt64(flows.packets_down)) AS packets_down,
    countIf(flows.start = flows.first) AS flows
FROM flows
GROUP BY slot, site, `group`, service, category, application, name_source;

CREATE MATERIALIZED VIEW IF NOT EXISTS sites_1h_from_flows TO sites_1h AS
SELECT
    toStartOfHour(start) AS hour, site, `group`, service, categories[1] AS category, application, name_source,
    sum(flows.bytes_up) AS bytes_up,
    sum(flows.bytes_down) AS bytes_down,
    sum(toUInt64(flows.packets_up)) AS packets_up,
    sum(toUInt64(flows.packets_down)) AS packets_down,
    countIf(flows.start = flows.first) AS flows
FROM flows
GROUP BY hour, site, `group`, service, category, application, name_source;

CREATE MATERIALIZED VIEW IF NOT EXISTS usage_1h_from_flows TO usage_1h AS
SELECT
    toStartOfHour(start) AS hour, site, client,
    sum(flows.bytes_up) AS bytes_up,
    sum(flows.bytes_down) AS bytes_down,
    sum(toUInt64(flows.packets_up)) AS packets_up,
    sum(toUInt64(flows.packets_down)) AS packets_down,
    countIf(flows.start = flows.first) AS flows,
    sumIf(flows.bytes_up + flows.bytes_down, name_source = 'none') AS by_none,
    sumIf(flows.bytes_up + flows.bytes_down, name_source = 'sni') AS by_sni,
    sumIf(flows.bytes_up + flows.bytes_down, name_source = 'quic') AS by_quic,
    sumIf(flows.bytes_up + flows.bytes_down, name_source = 'http') AS by_http,
    sumIf(flows.bytes_up + flows.bytes_down, name_source = 'dns') AS by_dns
FROM flows
GROUP BY hour, site, client;

-- Within an hour of a site clients are in order: most granules hold few of them.
ALTER TABLE traffic_1h ADD INDEX IF NOT EXISTS clients client TYPE minmax GRANULARITY 1;
ALTER TABLE traffic_1m ADD INDEX IF NOT EXISTS clients client TYPE minmax GRANULARITY 1;
ALTER TABLE traffic_1h MATERIALIZE INDEX clients;
ALTER TABLE traffic_1m MATERIALIZE INDEX clients;
