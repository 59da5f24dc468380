-- Sums of attempts by the hour, the day and the week. Attempts are judged again, so no view can feed them: a sum says as of
-- which judgement of its hours it was made, the newest `updated` of their attempts, and counts only while that is still the
-- newest (classifiers/outcomes.py). What was stored before is summed by rounds; until then its attempts are read.

CREATE TABLE IF NOT EXISTS outcomes (
    step UInt32 CODEC(ZSTD) COMMENT 'seconds: an hour, a day, or a week',
    start DateTime64(0, 'UTC') CODEC(Delta, ZSTD),
    site LowCardinality(String),
    `group` LowCardinality(String),
    categories Array(LowCardinality(String)) CODEC(ZSTD),
    clause LowCardinality(String),
    action LowCardinality(String),
    verdict LowCardinality(String),
    mechanism LowCardinality(String),
    initiated LowCardinality(String),
    attempts UInt64 CODEC(T64, ZSTD),
    widgets UInt64 CODEC(T64, ZSTD) COMMENT 'embedded ones',
    unmeasured UInt64 CODEC(T64, ZSTD) COMMENT 'whose loss is not known',
    first DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    last DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    hosts Array(UInt32) CODEC(ZSTD) COMMENT 'IPv4 addresses of the clients, each once',
    hosts6 Array(IPv6) CODEC(ZSTD) COMMENT 'the others',
    as_of DateTime64(6, 'UTC') CODEC(ZSTD),
    oldest DateTime64(6, 'UTC') CODEC(ZSTD) COMMENT 'when the first of the step''s attempts was written: the sum goes when that does',
    parts UInt32 CODEC(ZSTD) COMMENT 'rows of the step as of then: sums of which one is missing, or doubled, do not count',
    PROJECTION steps (
        SELECT step, start, as_of, max(parts), count()
        GROUP BY step, start, as_of
    )
)
ENGINE = ReplacingMergeTree(as_of)
PARTITION BY toYYYYMM(start)
ORDER BY (step, start, site, `group`, categories, clause, action, verdict, mechanism, initiated)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 134217728, deduplicate_merge_projection_mode = 'rebuild';

-- When an attempt of each hour was last written: a row that replaces another is always newer, so merges change nothing in it.
ALTER TABLE attempts MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';
ALTER TABLE attempts ADD PROJECTION IF NOT EXISTS hours (
    SELECT toStartOfHour(window_start), max(updated)
    GROUP BY toStartOfHour(window_start)
);
ALTER TABLE attempts MATERIALIZE PROJECTION hours SETTINGS mutations_sync = 2;
