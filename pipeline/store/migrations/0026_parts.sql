-- A message may be one of several parts of a batch, and what was judged goes by when it came into the store: workers
-- insert beside each other, so a boot's sequences do not come in order. Batches from before were whole, and came when
-- their worker's clock says; what no round had covered of them is judged.

ALTER TABLE batches ADD COLUMN IF NOT EXISTS part UInt32 CODEC(T64, ZSTD) AFTER sequence;

ALTER TABLE batches ADD COLUMN IF NOT EXISTS parts UInt32 DEFAULT 1 CODEC(T64, ZSTD) AFTER part;

ALTER TABLE batches ADD COLUMN IF NOT EXISTS stored DateTime64(3, 'UTC') DEFAULT inserted CODEC(Delta, ZSTD);

-- Again the same where a run was cut short after the last change of it.
ALTER TABLE batches MODIFY COLUMN stored DateTime64(3, 'UTC') DEFAULT inserted CODEC(Delta, ZSTD);

ALTER TABLE batches MATERIALIZE COLUMN stored SETTINGS mutations_sync = 2;

ALTER TABLE batches MODIFY COLUMN stored DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') CODEC(Delta, ZSTD);

ALTER TABLE batches ADD INDEX IF NOT EXISTS batches_stored stored TYPE minmax GRANULARITY 1;

CREATE TABLE IF NOT EXISTS judged (
    by LowCardinality(String) COMMENT 'who judges: detectors',
    until DateTime64(3, 'UTC') COMMENT 'newest `stored` of batches that a finished round covered',
    finished DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(until)
ORDER BY by
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS rounds (
    sensor LowCardinality(String),
    boot String,
    sequence UInt64,
    finished DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (sensor, boot);

INSERT INTO judged (by, until)
SELECT 'detectors', if(countIf(late) = 0, max(stored), minIf(stored, late) - INTERVAL 1 MILLISECOND)
FROM
(
    SELECT stored, NOT known OR sequence > covered AS late
    FROM batches
    LEFT JOIN
    (
        SELECT sensor, boot, max(sequence) AS covered, true AS known
        FROM rounds
        GROUP BY sensor, boot
    ) AS done USING (sensor, boot)
    WHERE rows > 0
)
HAVING count() > 0;

DROP TABLE IF EXISTS rounds;
