-- Attempts to reach a name, judged over DNS, TCP and QUIC together (classifiers/verdict).
-- Recomputed for every range that new rows touch: the newest `updated` of a key counts, and a key
-- that no longer holds is written once more with removed = 1. Read with FINAL.
CREATE TABLE IF NOT EXISTS attempts
(
    site LowCardinality(String) CODEC(ZSTD),
    client IPv6 CODEC(ZSTD),
    `group` LowCardinality(String) CODEC(ZSTD),
    name String CODEC(ZSTD),
    window_start DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'start of the attempt, part of its identity',
    first DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'first DNS question or flow',
    last DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'last DNS question, or start of the last flow',
    categories Array(LowCardinality(String)) CODEC(ZSTD),
    service LowCardinality(String) CODEC(ZSTD),
    action LowCardinality(String) CODEC(ZSTD),
    clause LowCardinality(String) CODEC(ZSTD),
    policy_version LowCardinality(String) CODEC(ZSTD),
    verdict LowCardinality(String) CODEC(ZSTD) COMMENT 'blocked, allowed, partial or inconclusive',
    mechanism LowCardinality(String) CODEC(ZSTD) COMMENT 'strongest evidence of a block, empty none',
    confidence UInt8 CODEC(ZSTD) COMMENT 'percent',
    corroborators Array(LowCardinality(String)) CODEC(ZSTD),
    evidence Array(LowCardinality(String)) CODEC(ZSTD) COMMENT 'every mechanism seen, and delivered',
    bytes_down UInt64 CODEC(T64, ZSTD) COMMENT 'bytes towards the client in the first minutes of its flows',
    dns UInt32 CODEC(T64, ZSTD) COMMENT 'DNS questions',
    tcp UInt32 CODEC(T64, ZSTD) COMMENT 'TCP flows',
    quic UInt32 CODEC(T64, ZSTD) COMMENT 'QUIC flows',
    resolved Bool CODEC(ZSTD) COMMENT 'an answer held an address that is no sinkhole',
    embedded Bool CODEC(ZSTD) COMMENT 'few bytes and no question of its own: a widget, not a visit',
    loss Float64 CODEC(ZSTD) COMMENT 'share that the mirror lost meanwhile, 0 to 1',
    samples Array(String) CODEC(ZSTD) COMMENT 'up to ten records as text',
    content UInt64 CODEC(ZSTD) COMMENT 'hash of the columns above, so that an unchanged attempt is not written again',
    removed UInt8 DEFAULT 0 CODEC(ZSTD),
    updated DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta, ZSTD)
)
ENGINE = ReplacingMergeTree(updated, removed)
PARTITION BY toYYYYMM(window_start)
ORDER BY (toStartOfHour(window_start), site, client, name, window_start)
SETTINGS non_replicated_deduplication_window = 10000;
