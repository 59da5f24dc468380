-- The four kinds of record as a sensor sends them (pipeline/records.py), with what the worker adds.
-- Sorted by hour, site and host: nearly every question names a time first, then a site or a host.
-- `arrived` is the hour in which the store took the row, from which its age counts: a capture of years
-- ago has not been here longer than one of today. MATERIALIZED keeps it out of `SELECT *`; whole hours
-- pack to next to nothing.

CREATE TABLE IF NOT EXISTS flows (
    sensor LowCardinality(String),
    vlan UInt16 CODEC(T64, ZSTD),
    tunnel LowCardinality(String),
    flow_id UInt64 CODEC(ZSTD),
    start DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD),
    end DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD),
    first DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD),
    client IPv6 CODEC(ZSTD),
    server IPv6 CODEC(ZSTD),
    client_port UInt16 CODEC(ZSTD),
    server_port UInt16 CODEC(ZSTD),
    protocol UInt8 CODEC(ZSTD),
    client_mac UInt64 CODEC(ZSTD),
    server_mac UInt64 CODEC(ZSTD),
    bytes_up UInt64 CODEC(T64, ZSTD),
    bytes_down UInt64 CODEC(T64, ZSTD),
    packets_up UInt32 CODEC(T64, ZSTD),
    packets_down UInt32 CODEC(T64, ZSTD),
    payload_up UInt64 CODEC(T64, ZSTD),
    payload_down UInt64 CODEC(T64, ZSTD),
    state LowCardinality(String),
    flags_up UInt8 CODEC(ZSTD),
    flags_down UInt8 CODEC(ZSTD),
    rtt_us Nullable(UInt32) CODEC(T64, ZSTD),
    retransmits_up UInt32 CODEC(T64, ZSTD),
    retransmits_down UInt32 CODEC(T64, ZSTD),
    ttl_up_min Nullable(UInt8) CODEC(ZSTD),
    ttl_up_max Nullable(UInt8) CODEC(ZSTD),
    ttl_down_min Nullable(UInt8) CODEC(ZSTD),
    ttl_down_max Nullable(UInt8) CODEC(ZSTD),
    ended LowCardinality(String),
    application LowCardinality(String),
    server_name String CODEC(ZSTD),
    name_source LowCardinality(String),
    alpn String CODEC(ZSTD),
    tls_version LowCardinality(String),
    ja4 String CODEC(ZSTD),
    ech LowCardinality(String),
    http_method LowCardinality(String),
    http_status Nullable(UInt16) CODEC(ZSTD),
    http_location String CODEC(ZSTD),
    hello UInt8 CODEC(ZSTD),
    reset_by LowCardinality(String),
    reset_ttl_delta Nullable(Int16) CODEC(ZSTD),
    acked_down UInt64 CODEC(T64, ZSTD),
    syn_signature String CODEC(ZSTD),
    lost UInt64 CODEC(T64, ZSTD),
    site LowCardinality(String),
    `group` LowCardinality(String),
    device_ownership LowCardinality(String),
    categories Array(LowCardinality(String)) CODEC(ZSTD),
    service LowCardinality(String),
    action LowCardinality(String),
    clause LowCardinality(String),
    policy_version LowCardinality(String),
    verdict LowCardinality(String),
    mechanism LowCardinality(String),
    confidence UInt8 CODEC(ZSTD),
    arrived DateTime64(0, 'UTC') MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(start)
ORDER BY (toStartOfHour(start), site, client, start)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS dns (
    ts DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD),
    client IPv6 CODEC(ZSTD),
    server IPv6 CODEC(ZSTD),
    vlan UInt16 CODEC(T64, ZSTD),
    transport LowCardinality(String),
    id UInt16 CODEC(ZSTD),
    qname String CODEC(ZSTD),
    qtype UInt16 CODEC(ZSTD),
    rcode Nullable(UInt8) CODEC(ZSTD),
    ra Nullable(Bool) CODEC(ZSTD),
    ede Nullable(UInt16) CODEC(ZSTD),
    answers Array(String) CODEC(ZSTD),
    addresses Array(IPv6) CODEC(ZSTD),
    min_ttl Nullable(UInt32) CODEC(T64, ZSTD),
    rtt_us Nullable(UInt32) CODEC(T64, ZSTD),
    answered Bool CODEC(ZSTD),
    sensor LowCardinality(String),
    site LowCardinality(String),
    `group` LowCardinality(String),
    device_ownership LowCardinality(String),
    categories Array(LowCardinality(String)) CODEC(ZSTD),
    service LowCardinality(String),
    action LowCardinality(String),
    clause LowCardinality(String),
    policy_version LowCardinality(String),
    verdict LowCardinality(String),
    mechanism LowCardinality(String),
    confidence UInt8 CODEC(ZSTD),
    arrived DateTime64(0, 'UTC') MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (toStartOfHour(ts), site, client, ts)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS sightings (
    ts DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD),
    vlan UInt16 CODEC(T64, ZSTD),
    source LowCardinality(String),
    mac UInt64 CODEC(ZSTD),
    ip IPv6 CODEC(ZSTD),
    name String CODEC(ZSTD),
    value String CODEC(ZSTD),
    attributes Map(String, String) CODEC(ZSTD),
    sensor LowCardinality(String),
    site LowCardinality(String),
    arrived DateTime64(0, 'UTC') MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (toStartOfHour(ts), site, mac, source, ts)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS health (
    ts DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD),
    sensor LowCardinality(String),
    boot String CODEC(ZSTD),
    sequence UInt64 CODEC(Delta, ZSTD),
    event LowCardinality(String),
    packets UInt64 CODEC(T64, ZSTD),
    bytes UInt64 CODEC(T64, ZSTD),
    dropped_kernel UInt64 CODEC(T64, ZSTD),
    dropped_ring UInt64 CODEC(T64, ZSTD),
    truncated UInt64 CODEC(T64, ZSTD),
    malformed UInt64 CODEC(T64, ZSTD),
    unknown_link UInt64 CODEC(T64, ZSTD),
    duplicates UInt64 CODEC(T64, ZSTD),
    flows UInt64 CODEC(T64, ZSTD),
    flows_peak UInt64 CODEC(T64, ZSTD),
    evicted UInt64 CODEC(T64, ZSTD),
    reassembly_peak UInt64 CODEC(T64, ZSTD),
    outbox_bytes UInt64 CODEC(T64, ZSTD),
    outbox_lost UInt64 CODEC(T64, ZSTD),
    clock_offset_us Nullable(Int64) CODEC(T64, ZSTD),
    lists LowCardinality(String),
    policy LowCardinality(String),
    version LowCardinality(String),
    site LowCardinality(String),
    arrived DateTime64(0, 'UTC') MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (sensor, ts)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
