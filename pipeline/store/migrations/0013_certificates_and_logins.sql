-- What a server's certificate says of itself, and how log-ins ended (pipeline/records.py, schema version 2).

ALTER TABLE flows ADD COLUMN IF NOT EXISTS certificate String CODEC(ZSTD) AFTER lost;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS issuer String CODEC(ZSTD) AFTER certificate;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS logins UInt16 CODEC(T64, ZSTD) AFTER issuer;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS logins_failed UInt16 CODEC(T64, ZSTD) AFTER logins;
