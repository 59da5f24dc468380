-- Every read that shows a person or a host, written before it is answered.
CREATE TABLE IF NOT EXISTS access_log
(
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    token_id LowCardinality(String),
    token_name LowCardinality(String),
    roles Array(LowCardinality(String)),
    path LowCardinality(String),
    subject String CODEC(ZSTD),
    case_reference String CODEC(ZSTD),
    query String CODEC(ZSTD),
    rows UInt32
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (at, token_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
