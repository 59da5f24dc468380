-- One row for each load of a policy that differed from the one before (classifiers/policy_versions). What was loaded
-- last holds from its `valid_from` on; rows of events carry the version they were judged by.
CREATE TABLE IF NOT EXISTS policies
(
    version String COMMENT 'first 16 hex digits of the SHA-256 of the content',
    loaded DateTime64(6, 'UTC'),
    valid_from DateTime64(6, 'UTC') COMMENT 'the policy''s own, else when it was loaded',
    file String CODEC(ZSTD),
    loaded_by LowCardinality(String) COMMENT 'user and host of the process that loaded it',
    content String CODEC(ZSTD) COMMENT 'JSON, keys as in the file, defaults left out',
    changes Array(String) CODEC(ZSTD) COMMENT 'what differs from the one loaded before, a line each'
)
ENGINE = MergeTree
ORDER BY (loaded, version)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
