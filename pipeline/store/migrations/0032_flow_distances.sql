-- What a row of `flows` says twice is kept once, as a distance from a column beside it: `end` and `first` from `start`,
-- payload from bytes, what was acknowledged from the payload (of TCP; of others there is nothing to acknowledge). Here the
-- distances are written for what is stored; the next migration makes the columns they stand for aliases. No worker may
-- insert meanwhile. Integers wrap, so that every value comes back as it was.

ALTER TABLE flows ADD COLUMN IF NOT EXISTS lasted Int64
    DEFAULT toUnixTimestamp64Micro(end) - toUnixTimestamp64Micro(start) CODEC(T64, ZSTD) AFTER start;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS since_first Int64
    DEFAULT toUnixTimestamp64Micro(start) - toUnixTimestamp64Micro(first) CODEC(T64, ZSTD) AFTER lasted;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS framing_up Int64
    DEFAULT reinterpretAsInt64(bytes_up) - reinterpretAsInt64(payload_up) CODEC(T64, ZSTD) AFTER packets_down;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS framing_down Int64
    DEFAULT reinterpretAsInt64(bytes_down) - reinterpretAsInt64(payload_down) CODEC(T64, ZSTD) AFTER framing_up;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS unacked_down Int64
    DEFAULT if(protocol = 6, reinterpretAsInt64(payload_down), 0) - reinterpretAsInt64(acked_down) CODEC(T64, ZSTD)
    AFTER reset_ttl_delta;

ALTER TABLE flows
    MATERIALIZE COLUMN lasted,
    MATERIALIZE COLUMN since_first,
    MATERIALIZE COLUMN framing_up,
    MATERIALIZE COLUMN framing_down,
    MATERIALIZE COLUMN unacked_down
    SETTINGS mutations_sync = 2;
