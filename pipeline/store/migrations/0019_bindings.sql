-- Who was where: statements about addresses, devices, names and users, each as a closed interval
-- (classifiers/bindings.py). An interval that grew is written again; one that went up in another, or that an end
-- cut to nothing, is written once more with removed = 1. Read with FINAL.
CREATE TABLE IF NOT EXISTS bindings
(
    site LowCardinality(String) CODEC(ZSTD),
    ip IPv6 CODEC(ZSTD) COMMENT ':: where the source tells of the device alone',
    vlan UInt16 CODEC(T64, ZSTD) COMMENT '0 untagged or not known',
    mac UInt64 CODEC(ZSTD) COMMENT '0 not known',
    name String CODEC(ZSTD) COMMENT 'of the device',
    user String CODEC(ZSTD) COMMENT 'as the source names them, lower case',
    session String CODEC(ZSTD) COMMENT 'of RADIUS: Acct-Session-Id',
    source LowCardinality(String) CODEC(ZSTD) COMMENT 'radius, dhcp, dhcpv6, kerberos, arp, ndp, flows, dhcp_name, mdns, nbns; router: the MAC stands before many addresses',
    `from` DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    `to` DateTime64(6, 'UTC') CODEC(Delta, ZSTD) COMMENT 'the last moment for which the source vouches',
    confidence UInt8 CODEC(ZSTD) COMMENT 'percent',
    removed UInt8 DEFAULT 0 CODEC(ZSTD),
    updated DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta, ZSTD),
    INDEX device mac TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(updated, removed)
PARTITION BY toYYYYMM(`from`)
ORDER BY (site, ip, mac, source, name, user, session, vlan, `from`)
SETTINGS non_replicated_deduplication_window = 10000;

-- What was not written because a bound was reached: bindings of one hour that were new.
CREATE TABLE IF NOT EXISTS bindings_left_out
(
    site LowCardinality(String),
    hour DateTime64(0, 'UTC'),
    reason LowCardinality(String) COMMENT 'site: too many new ones at the site; address: too many MACs claim one address',
    left_out UInt64,
    updated DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (hour, site, reason)
SETTINGS non_replicated_deduplication_window = 10000;

-- Which MAC sent with which address, by hour: a few rows a host, so that nobody asks all flows for it.
CREATE TABLE IF NOT EXISTS hosts_1h
(
    hour DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD),
    site LowCardinality(String),
    client IPv6 CODEC(ZSTD),
    client_mac UInt64 CODEC(ZSTD),
    vlan UInt16 CODEC(T64, ZSTD),
    first SimpleAggregateFunction(min, DateTime64(6, 'UTC')) CODEC(ZSTD),
    last SimpleAggregateFunction(max, DateTime64(6, 'UTC')) CODEC(ZSTD),
    arrived SimpleAggregateFunction(max, DateTime64(0, 'UTC'))
        MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, site, client, client_mac, vlan)
SETTINGS non_replicated_deduplication_window = 10000, min_bytes_for_wide_part = 134217728;

CREATE MATERIALIZED VIEW IF NOT EXISTS hosts_1h_from_flows TO hosts_1h AS
SELECT
    toStartOfHour(start) AS hour,
    site,
    client,
    client_mac,
    vlan,
    min(start) AS first,
    max(end) AS last
FROM flows
WHERE client_mac != 0
GROUP BY hour, site, client, client_mac, vlan;

-- The policy's inventory files over time: a row for each device that came, changed or went (present = 0).
CREATE TABLE IF NOT EXISTS inventory
(
    mac UInt64 CODEC(ZSTD),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD) COMMENT 'from when on this holds; 1970: it was in the first inventory that was read',
    present UInt8 CODEC(ZSTD),
    name String CODEC(ZSTD),
    owner_group LowCardinality(String) CODEC(ZSTD),
    site LowCardinality(String) CODEC(ZSTD) COMMENT 'as the file names it',
    tags Array(LowCardinality(String)) CODEC(ZSTD),
    file LowCardinality(String) CODEC(ZSTD),
    version LowCardinality(String) CODEC(ZSTD) COMMENT 'first 16 hex digits of the SHA-256 of all devices'
)
ENGINE = MergeTree
ORDER BY (mac, at)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
