-- Schema version 3 (pipeline/records.py): what tells an answer or a reset that a filter made from the server's own.

ALTER TABLE flows ADD COLUMN IF NOT EXISTS reset_us Nullable(UInt32) CODEC(T64, ZSTD) AFTER logins_failed;
ALTER TABLE dns ADD COLUMN IF NOT EXISTS aa Nullable(Bool) CODEC(ZSTD) AFTER answered;
ALTER TABLE dns ADD COLUMN IF NOT EXISTS soa Nullable(Bool) CODEC(ZSTD) AFTER aa;
