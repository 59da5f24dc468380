-- The lists in force: one row for each list of each compiled version, written when a worker begins to use it and it
-- differs from what was in force before. A version holds until the next `since`.
CREATE TABLE IF NOT EXISTS lists
(
    since DateTime64(6, 'UTC') COMMENT 'from when on rows are classified by it',
    version LowCardinality(String) COMMENT 'of all lists together: first 16 hex digits of a SHA-256 of the content',
    list LowCardinality(String),
    title LowCardinality(String),
    categories Array(LowCardinality(String)),
    allow Bool COMMENT 'an allow list: it takes categories away',
    url LowCardinality(String) COMMENT 'empty: the organisation''s own, or ours',
    licence LowCardinality(String),
    sha256 LowCardinality(String) COMMENT 'of the list''s file',
    entries UInt64 COMMENT 'names and networks that it lists',
    added UInt64 COMMENT 'names that the version before did not have',
    removed UInt64 COMMENT 'names that only the version before had'
)
ENGINE = MergeTree
ORDER BY (since, list)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
