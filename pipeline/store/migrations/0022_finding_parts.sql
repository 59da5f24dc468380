-- Detectors judge event time in pieces, each as a whole. A row is what a detector states of one subject in one piece;
-- findings are made of these rows (classifiers/episodes.py), so that they depend on the records alone. A part that no
-- longer holds is written once more with removed = 1. Read with FINAL.
CREATE TABLE IF NOT EXISTS finding_parts
(
    detector LowCardinality(String) CODEC(ZSTD),
    piece DateTime('UTC') CODEC(Delta, ZSTD) COMMENT 'start of the piece of event time',
    site LowCardinality(String) CODEC(ZSTD),
    subject_kind LowCardinality(String) CODEC(ZSTD),
    subject String CODEC(ZSTD),
    `from` DateTime64(6, 'UTC') CODEC(Delta, ZSTD) COMMENT 'start of the first window that held',
    `to` DateTime64(6, 'UTC') CODEC(Delta, ZSTD) COMMENT 'end of the last window that held',
    strength Float64 CODEC(ZSTD) COMMENT 'how far past its threshold the strongest window was; the rest is of that window',
    confidence UInt8 CODEC(ZSTD) COMMENT 'percent',
    statement String CODEC(ZSTD),
    inputs Map(String, Float64) CODEC(ZSTD),
    thresholds Map(String, Float64) CODEC(ZSTD),
    samples Array(String) CODEC(ZSTD),
    loss Nullable(Float64) CODEC(ZSTD),
    inconclusive Bool CODEC(ZSTD),
    removed UInt8 DEFAULT 0 CODEC(ZSTD),
    updated DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta, ZSTD)
)
ENGINE = ReplacingMergeTree(updated, removed)
PARTITION BY toYYYYMM(piece)
ORDER BY (detector, piece, site, subject_kind, subject)
SETTINGS non_replicated_deduplication_window = 10000;

ALTER TABLE findings ADD COLUMN IF NOT EXISTS withdrawn String CODEC(ZSTD) COMMENT 'why it no longer holds; empty: it does' AFTER strength;

-- Findings made before there were parts go on as one part each, until their time is judged again.
INSERT INTO finding_parts
SELECT
    detector, toStartOfInterval(`from`, toIntervalMinute(30)) AS piece, site, subject_kind, subject, `from`, `to`, strength,
    confidence, statement, inputs, thresholds, samples, loss, inconclusive, 0 AS removed, updated
FROM findings FINAL
WHERE withdrawn = '' AND `from` < toDateTime64('2106-01-01 00:00:00', 6, 'UTC');
