-- Bytes and packets by minute, host, service and category. A flow's row falls into the minute it
-- starts in (rows are at most 60 s long); `flows` counts a flow once, in the minute of its first packet.
-- A sum is as old as the youngest row in it: `arrived` is among the summed columns, but its type takes the latest.

CREATE TABLE IF NOT EXISTS traffic_1m (
    minute DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD),
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
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, site, client, service, category, `group`, application, name_source, action)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS traffic_1m_from_flows TO traffic_1m AS
SELECT
    toStartOfMinute(start) AS minute,
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
GROUP BY minute, site, `group`, client, service, category, application, name_source, action;
