-- What of the traffic had its name in sight, and why not, by the minute: `sight` of a flow's row is one of
--   tunnel         the names are inside it
--   encrypted_dns  with a resolver over TLS, HTTPS or QUIC: the names asked for are inside
--   ech            TLS or QUIC under a name that only stands before hidden ones (RFC 9849)
--   no_name        TLS or QUIC whose hello told no name
--   ech_or_grease  a name was told, and the extension was there: real or not, it looks the same
--   dns            the name is the client's own answer for the address
--   named          the name was told
--   nameless       an application that has none, or that nobody knows
-- What was stored before is summed here once; a run that was cut short begins anew. No worker may insert meanwhile.

ALTER TABLE flows ADD COLUMN IF NOT EXISTS sight LowCardinality(String) ALIAS
    multiIf(
        application IN ('wireguard', 'openvpn', 'ipsec', 'pptp', 'l2tp', 'tor', 'softether', 'tinc', 'encrypted'), 'tunnel',
        application IN ('tls', 'dtls', 'quic') AND (server_port = 853 OR alpn IN ('dot', 'doq') OR has(categories, 'doh')), 'encrypted_dns',
        application = 'dnscrypt', 'encrypted_dns',
        ech != 'none' AND ech != '' AND server_name = 'cloudflare-ech.com', 'ech',
        name_source = 'none' AND application IN ('tls', 'quic', 'dtls'), 'no_name',
        name_source IN ('sni', 'quic') AND ech = 'grease_or_real', 'ech_or_grease',
        name_source = 'dns', 'dns',
        name_source != 'none' AND name_source != '', 'named',
        'nameless');

DROP VIEW IF EXISTS sight_1m_from_flows;

CREATE TABLE IF NOT EXISTS sight_1m (
    minute DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD),
    site LowCardinality(String),
    `group` LowCardinality(String),
    sight LowCardinality(String),
    bytes UInt64 CODEC(T64, ZSTD),
    flows UInt64 CODEC(T64, ZSTD),
    arrived SimpleAggregateFunction(max, DateTime64(0, 'UTC'))
        MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta, ZSTD)
)
ENGINE = SummingMergeTree((bytes, flows, arrived))
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, site, `group`, sight)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 134217728;

TRUNCATE TABLE sight_1m;

INSERT INTO sight_1m (minute, site, `group`, sight, bytes, flows, arrived)
SELECT
    toStartOfMinute(start) AS minute, site, `group`, sight,
    sum(bytes_up + bytes_down), countIf(start = first), max(flows.arrived)
FROM flows
GROUP BY minute, site, `group`, sight
SETTINGS insert_allow_materialized_columns = 1, max_partitions_per_insert_block = 0, insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS sight_1m_from_flows TO sight_1m AS
SELECT
    toStartOfMinute(start) AS minute,
    site,
    `group`,
    sight,
    sum(bytes_up + bytes_down) AS bytes,
    countIf(flows.start = flows.first) AS flows
FROM flows
GROUP BY minute, site, `group`, sight;
