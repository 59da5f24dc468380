-- One row for each message whose rows are in: what was inserted, and what the detectors have covered.

CREATE TABLE IF NOT EXISTS batches (
    sensor LowCardinality(String),
    boot String CODEC(ZSTD),
    sequence UInt64 CODEC(Delta, ZSTD),
    records LowCardinality(String),
    rows UInt64 CODEC(T64, ZSTD),
    first DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    last DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    sha256 String CODEC(ZSTD),
    inserted DateTime64(3, 'UTC') CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(inserted)
ORDER BY (sensor, boot, sequence)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Per boot, the highest sequence whose time a detector round has covered.
CREATE TABLE IF NOT EXISTS rounds (
    sensor LowCardinality(String),
    boot String,
    sequence UInt64,
    finished DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (sensor, boot)
SETTINGS non_replicated_deduplication_window = 10000;
