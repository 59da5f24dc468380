-- Schema version 2 (pipeline/records.py): what a server's certificate says of itself, how log-ins ended, and what
-- the sensor could not read for want of a place.

ALTER TABLE flows ADD COLUMN IF NOT EXISTS certificate String CODEC(ZSTD) AFTER lost;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS issuer String CODEC(ZSTD) AFTER certificate;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS logins UInt16 CODEC(T64, ZSTD) AFTER issuer;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS logins_failed UInt16 CODEC(T64, ZSTD) AFTER logins;

ALTER TABLE health ADD COLUMN IF NOT EXISTS heads_refused UInt64 CODEC(T64, ZSTD) AFTER version;
