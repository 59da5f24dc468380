CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sensor TEXT NOT NULL,
    boot TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    records TEXT NOT NULL,
    schema INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    size INTEGER NOT NULL,
    payload BLOB NOT NULL
);
-- Counting what waits must not read the payloads.
CREATE INDEX messages_size ON messages (id, size, rows);
-- Highest sequence of each boot: what was seen stays seen after it was deleted.
CREATE TABLE marks (
    sensor TEXT NOT NULL,
    boot TEXT NOT NULL,
    highest INTEGER NOT NULL,
    PRIMARY KEY (sensor, boot)
) WITHOUT ROWID;
CREATE TABLE consumers (
    name TEXT PRIMARY KEY,
    acknowledged INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE dead (
    id INTEGER PRIMARY KEY,
    sensor TEXT NOT NULL,
    boot TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    records TEXT NOT NULL,
    schema INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    payload BLOB NOT NULL,
    size INTEGER NOT NULL,
    reason TEXT NOT NULL,
    ts INTEGER NOT NULL
);
CREATE TABLE totals (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO totals VALUES
    ('bytes', 0), ('dead_bytes', 0), ('dead_messages', 0), ('lost_messages', 0), ('lost_records', 0);
