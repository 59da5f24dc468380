-- What became of an attempt on each of its paths, who seems to have begun it, where its name was asked for; and
-- a loss of the mirror that nobody measured is null, not zero.

ALTER TABLE attempts MODIFY COLUMN loss Nullable(Float64) CODEC(ZSTD) COMMENT 'share that the mirror lost meanwhile, 0 to 1; null not known';
ALTER TABLE attempts ADD COLUMN IF NOT EXISTS blocked_over Array(LowCardinality(String)) CODEC(ZSTD) COMMENT 'paths with evidence of a block: dns4, dns6, tcp4, tcp6, quic4, quic6' AFTER evidence;
ALTER TABLE attempts ADD COLUMN IF NOT EXISTS delivered_over Array(LowCardinality(String)) CODEC(ZSTD) COMMENT 'paths that delivered: tcp4, tcp6, quic4, quic6' AFTER blocked_over;
ALTER TABLE attempts ADD COLUMN IF NOT EXISTS resolver LowCardinality(String) CODEC(ZSTD) COMMENT 'who was asked for the name: declared or other resolver, none seen' AFTER resolved;
ALTER TABLE attempts ADD COLUMN IF NOT EXISTS initiated LowCardinality(String) CODEC(ZSTD) COMMENT 'user, background or unknown' AFTER embedded;
ALTER TABLE findings MODIFY COLUMN loss Nullable(Float64) CODEC(ZSTD) COMMENT 'share that the mirror lost in the strongest window, 0 to 1; null not known';
