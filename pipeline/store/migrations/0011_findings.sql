-- What the detectors state. A detector that runs again writes the same id; read with FINAL.
CREATE TABLE IF NOT EXISTS findings
(
    id String CODEC(ZSTD) COMMENT 'hex digest of detector, site, subject and first window',
    detector LowCardinality(String) CODEC(ZSTD),
    class LowCardinality(String) CODEC(ZSTD),
    title LowCardinality(String) CODEC(ZSTD),
    subject_kind LowCardinality(String) CODEC(ZSTD) COMMENT 'host, device, server, name or site',
    subject String CODEC(ZSTD) COMMENT 'address, MAC, name or site as text',
    site LowCardinality(String) CODEC(ZSTD),
    `from` DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'start of the first window that held',
    `to` DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'end of the last window that held',
    severity LowCardinality(String) CODEC(ZSTD) COMMENT 'low, medium or high',
    confidence UInt8 CODEC(ZSTD) COMMENT 'percent',
    clause LowCardinality(String) CODEC(ZSTD) COMMENT 'clauses of the regulations it touches',
    statement String CODEC(ZSTD) COMMENT 'facts of the strongest window',
    inputs Map(String, Float64) CODEC(ZSTD) COMMENT 'inputs of the formula in the strongest window',
    thresholds Map(String, Float64) CODEC(ZSTD) COMMENT 'thresholds in force',
    samples Array(String) CODEC(ZSTD) COMMENT 'up to ten records as text',
    loss Float64 CODEC(ZSTD) COMMENT 'share that the mirror lost in the strongest window, 0 to 1',
    inconclusive Bool CODEC(ZSTD) COMMENT 'rests on absence while the mirror lost more than the bound',
    strength Float64 CODEC(ZSTD) COMMENT 'how far past its threshold the strongest window was',
    updated DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta, ZSTD)
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (id)
SETTINGS non_replicated_deduplication_window = 10000;
