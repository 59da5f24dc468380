CREATE TABLE access_log
(
    `at` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `token_id` LowCardinality(String),
    `token_name` LowCardinality(String),
    `roles` Array(LowCardinality(String)),
    `path` LowCardinality(String),
    `subject` String CODEC(ZSTD(1)),
    `case_reference` String CODEC(ZSTD(1)),
    `query` String CODEC(ZSTD(1)),
    `rows` UInt32
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (at, token_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE attempts
(
    `site` LowCardinality(String) CODEC(ZSTD(1)),
    `client` IPv6 CODEC(ZSTD(1)),
    `group` LowCardinality(String) CODEC(ZSTD(1)),
    `name` String CODEC(ZSTD(1)),
    `window_start` DateTime64(6, 'UTC') COMMENT 'start of the attempt, part of its identity' CODEC(DoubleDelta, ZSTD(1)),
    `first` DateTime64(6, 'UTC') COMMENT 'first DNS question or flow' CODEC(DoubleDelta, ZSTD(1)),
    `last` DateTime64(6, 'UTC') COMMENT 'last DNS question, or start of the last flow' CODEC(DoubleDelta, ZSTD(1)),
    `categories` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `service` LowCardinality(String) CODEC(ZSTD(1)),
    `action` LowCardinality(String) CODEC(ZSTD(1)),
    `clause` LowCardinality(String) CODEC(ZSTD(1)),
    `policy_version` LowCardinality(String) CODEC(ZSTD(1)),
    `verdict` LowCardinality(String) COMMENT 'blocked, allowed, partial or inconclusive' CODEC(ZSTD(1)),
    `mechanism` LowCardinality(String) COMMENT 'strongest evidence of a block, empty none' CODEC(ZSTD(1)),
    `confidence` UInt8 COMMENT 'percent' CODEC(ZSTD(1)),
    `corroborators` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `evidence` Array(LowCardinality(String)) COMMENT 'every mechanism seen, and delivered' CODEC(ZSTD(1)),
    `blocked_over` Array(LowCardinality(String)) COMMENT 'paths with evidence of a block: dns4, dns6, tcp4, tcp6, quic4, quic6' CODEC(ZSTD(1)),
    `delivered_over` Array(LowCardinality(String)) COMMENT 'paths that delivered: tcp4, tcp6, quic4, quic6' CODEC(ZSTD(1)),
    `bytes_down` UInt64 COMMENT 'bytes towards the client in the first minutes of its flows' CODEC(T64, ZSTD(1)),
    `dns` UInt32 COMMENT 'DNS questions' CODEC(T64, ZSTD(1)),
    `tcp` UInt32 COMMENT 'TCP flows' CODEC(T64, ZSTD(1)),
    `quic` UInt32 COMMENT 'QUIC flows' CODEC(T64, ZSTD(1)),
    `resolved` Bool COMMENT 'an answer held an address that is no sinkhole' CODEC(ZSTD(1)),
    `resolver` LowCardinality(String) COMMENT 'who was asked for the name: declared or other resolver, none seen' CODEC(ZSTD(1)),
    `embedded` Bool COMMENT 'few bytes and no question of its own: a widget, not a visit' CODEC(ZSTD(1)),
    `initiated` LowCardinality(String) COMMENT 'user, background or unknown' CODEC(ZSTD(1)),
    `loss` Nullable(Float64) COMMENT 'share that the mirror lost meanwhile, 0 to 1; null not known' CODEC(ZSTD(1)),
    `samples` Array(String) COMMENT 'up to ten records as text' CODEC(ZSTD(1)),
    `content` UInt64 COMMENT 'hash of the columns above, so that an unchanged attempt is not written again' CODEC(ZSTD(1)),
    `removed` UInt8 DEFAULT 0 CODEC(ZSTD(1)),
    `updated` DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1)),
    PROJECTION hours
    (
        SELECT
            toStartOfHour(window_start),
            max(updated)
        GROUP BY toStartOfHour(window_start)
    )
)
ENGINE = ReplacingMergeTree(updated, removed)
PARTITION BY toYYYYMM(window_start)
ORDER BY (toStartOfHour(window_start), site, client, name, window_start)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, deduplicate_merge_projection_mode = 'rebuild';

CREATE TABLE batches
(
    `sensor` LowCardinality(String),
    `boot` String CODEC(ZSTD(1)),
    `sequence` UInt64 CODEC(Delta(8), ZSTD(1)),
    `part` UInt32 CODEC(T64, ZSTD(1)),
    `parts` UInt32 DEFAULT 1 CODEC(T64, ZSTD(1)),
    `records` LowCardinality(String),
    `rows` UInt64 CODEC(T64, ZSTD(1)),
    `first` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `last` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `sha256` String CODEC(ZSTD(1)),
    `inserted` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `stored` DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    INDEX batches_stored stored TYPE minmax GRANULARITY 1,
    INDEX batches_first first TYPE minmax GRANULARITY 1,
    INDEX batches_last last TYPE minmax GRANULARITY 1,
    PROJECTION hours
    (
        SELECT
            records,
            rows > 0,
            first >= toDateTime(946684800, 'UTC'),
            toStartOfHour(last),
            sensor,
            boot,
            min(first),
            max(last),
            count()
        GROUP BY
            records,
            rows > 0,
            first >= toDateTime(946684800, 'UTC'),
            toStartOfHour(last),
            sensor,
            boot
    )
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(inserted)
ORDER BY (sensor, boot, sequence)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE bindings
(
    `site` LowCardinality(String) CODEC(ZSTD(1)),
    `ip` IPv6 COMMENT ':: where the source tells of the device alone' CODEC(ZSTD(1)),
    `vlan` UInt16 COMMENT '0 untagged or not known' CODEC(T64, ZSTD(1)),
    `mac` UInt64 COMMENT '0 not known' CODEC(ZSTD(1)),
    `name` String COMMENT 'of the device' CODEC(ZSTD(1)),
    `user` String COMMENT 'as the source names them, lower case' CODEC(ZSTD(1)),
    `session` String COMMENT 'of RADIUS: Acct-Session-Id' CODEC(ZSTD(1)),
    `source` LowCardinality(String) COMMENT 'radius, dhcp, dhcpv6, kerberos, arp, ndp, flows, dhcp_name, mdns, nbns; router: the MAC stands before many addresses' CODEC(ZSTD(1)),
    `from` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `to` DateTime64(6, 'UTC') COMMENT 'the last moment for which the source vouches' CODEC(Delta(8), ZSTD(1)),
    `confidence` UInt8 COMMENT 'percent' CODEC(ZSTD(1)),
    `removed` UInt8 DEFAULT 0 CODEC(ZSTD(1)),
    `updated` DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1)),
    INDEX device mac TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(updated, removed)
PARTITION BY toYYYYMM(`from`)
ORDER BY (site, ip, mac, source, name, user, session, vlan, `from`)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE bindings_left_out
(
    `site` LowCardinality(String),
    `hour` DateTime64(0, 'UTC'),
    `reason` LowCardinality(String) COMMENT 'site: too many new ones at the site; address: too many MACs claim one address',
    `left_out` UInt64,
    `updated` DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (hour, site, reason)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE dns
(
    `ts` DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `client` IPv6 CODEC(ZSTD(1)),
    `server` IPv6 CODEC(ZSTD(1)),
    `vlan` UInt16 CODEC(T64, ZSTD(1)),
    `transport` LowCardinality(String),
    `id` UInt16 CODEC(ZSTD(1)),
    `qname` String CODEC(ZSTD(1)),
    `qtype` UInt16 CODEC(ZSTD(1)),
    `rcode` Nullable(UInt8) CODEC(ZSTD(1)),
    `ra` Nullable(Bool) CODEC(ZSTD(1)),
    `ede` Nullable(UInt16) CODEC(ZSTD(1)),
    `answers` Array(String) CODEC(ZSTD(1)),
    `addresses` Array(IPv6) CODEC(ZSTD(1)),
    `min_ttl` Nullable(UInt32) CODEC(T64, ZSTD(1)),
    `rtt_us` Nullable(UInt32) CODEC(T64, ZSTD(1)),
    `answered` Bool CODEC(ZSTD(1)),
    `aa` Nullable(Bool) CODEC(ZSTD(1)),
    `soa` Nullable(Bool) CODEC(ZSTD(1)),
    `sensor` LowCardinality(String),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `device_ownership` LowCardinality(String),
    `categories` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `service` LowCardinality(String),
    `action` LowCardinality(String),
    `clause` LowCardinality(String),
    `policy_version` LowCardinality(String),
    `verdict` LowCardinality(String),
    `mechanism` LowCardinality(String),
    `confidence` UInt8 CODEC(ZSTD(1)),
    `arrived` DateTime64(0, 'UTC') MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (toStartOfHour(ts), site, client, ts)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

CREATE TABLE failed_1h
(
    `hour` DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    `site` LowCardinality(String),
    `client` IPv6 CODEC(ZSTD(1)),
    `server` IPv6 CODEC(ZSTD(1)),
    `port` UInt16 CODEC(ZSTD(1)),
    `protocol` UInt8 CODEC(ZSTD(1)),
    `first` SimpleAggregateFunction(min, DateTime64(6, 'UTC')) CODEC(Delta(8), ZSTD(1)),
    `last` SimpleAggregateFunction(max, DateTime64(6, 'UTC')) CODEC(Delta(8), ZSTD(1)),
    `arrived` SimpleAggregateFunction(max, DateTime64(0, 'UTC')) MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, site, client, server, port, protocol)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE finding_parts
(
    `detector` LowCardinality(String) CODEC(ZSTD(1)),
    `piece` DateTime('UTC') COMMENT 'start of the piece of event time' CODEC(Delta(4), ZSTD(1)),
    `site` LowCardinality(String) CODEC(ZSTD(1)),
    `subject_kind` LowCardinality(String) CODEC(ZSTD(1)),
    `subject` String CODEC(ZSTD(1)),
    `from` DateTime64(6, 'UTC') COMMENT 'start of the first window that held' CODEC(Delta(8), ZSTD(1)),
    `to` DateTime64(6, 'UTC') COMMENT 'end of the last window that held' CODEC(Delta(8), ZSTD(1)),
    `strength` Float64 COMMENT 'how far past its threshold the strongest window was; the rest is of that window' CODEC(ZSTD(1)),
    `confidence` UInt8 COMMENT 'percent' CODEC(ZSTD(1)),
    `statement` String CODEC(ZSTD(1)),
    `inputs` Map(String, Float64) CODEC(ZSTD(1)),
    `thresholds` Map(String, Float64) CODEC(ZSTD(1)),
    `samples` Array(String) CODEC(ZSTD(1)),
    `loss` Nullable(Float64) CODEC(ZSTD(1)),
    `inconclusive` Bool CODEC(ZSTD(1)),
    `removed` UInt8 DEFAULT 0 CODEC(ZSTD(1)),
    `updated` DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(updated, removed)
PARTITION BY toYYYYMM(piece)
ORDER BY (detector, piece, site, subject_kind, subject)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE findings
(
    `id` String COMMENT 'hex digest of detector, site, subject and first window' CODEC(ZSTD(1)),
    `detector` LowCardinality(String) CODEC(ZSTD(1)),
    `class` LowCardinality(String) CODEC(ZSTD(1)),
    `title` LowCardinality(String) CODEC(ZSTD(1)),
    `subject_kind` LowCardinality(String) COMMENT 'host, device, server, name or site' CODEC(ZSTD(1)),
    `subject` String COMMENT 'address, MAC, name or site as text' CODEC(ZSTD(1)),
    `site` LowCardinality(String) CODEC(ZSTD(1)),
    `from` DateTime64(6, 'UTC') COMMENT 'start of the first window that held' CODEC(DoubleDelta, ZSTD(1)),
    `to` DateTime64(6, 'UTC') COMMENT 'end of the last window that held' CODEC(DoubleDelta, ZSTD(1)),
    `severity` LowCardinality(String) COMMENT 'low, medium or high' CODEC(ZSTD(1)),
    `confidence` UInt8 COMMENT 'percent' CODEC(ZSTD(1)),
    `clause` LowCardinality(String) COMMENT 'clauses of the regulations it touches' CODEC(ZSTD(1)),
    `statement` String COMMENT 'facts of the strongest window' CODEC(ZSTD(1)),
    `inputs` Map(String, Float64) COMMENT 'inputs of the formula in the strongest window' CODEC(ZSTD(1)),
    `thresholds` Map(String, Float64) COMMENT 'thresholds in force' CODEC(ZSTD(1)),
    `samples` Array(String) COMMENT 'up to ten records as text' CODEC(ZSTD(1)),
    `loss` Nullable(Float64) COMMENT 'share that the mirror lost in the strongest window, 0 to 1; null not known' CODEC(ZSTD(1)),
    `inconclusive` Bool COMMENT 'rests on absence while the mirror lost more than the bound' CODEC(ZSTD(1)),
    `strength` Float64 COMMENT 'how far past its threshold the strongest window was' CODEC(ZSTD(1)),
    `withdrawn` String COMMENT 'why it no longer holds; empty: it does' CODEC(ZSTD(1)),
    `updated` DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (id)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE flows
(
    `sensor` LowCardinality(String),
    `vlan` UInt16 CODEC(T64, ZSTD(1)),
    `tunnel` LowCardinality(String),
    `flow_id` UInt64 CODEC(T64, ZSTD(1)),
    `start` DateTime64(6, 'UTC') CODEC(Delta(8), T64, ZSTD(1)),
    `lasted` Int64 DEFAULT 0 COMMENT 'from start to end, µs' CODEC(T64, ZSTD(1)),
    `since_first` Int64 DEFAULT 0 COMMENT 'from first to start, µs' CODEC(T64, ZSTD(1)),
    `client` IPv6 CODEC(ZSTD(1)),
    `server` IPv6 CODEC(ZSTD(1)),
    `client_port` UInt16 CODEC(ZSTD(1)),
    `server_port` UInt16 CODEC(ZSTD(1)),
    `protocol` UInt8 CODEC(ZSTD(1)),
    `client_mac` UInt64 CODEC(ZSTD(1)),
    `server_mac` UInt64 CODEC(ZSTD(1)),
    `bytes_up` UInt64 CODEC(T64, ZSTD(1)),
    `bytes_down` UInt64 CODEC(T64, ZSTD(1)),
    `packets_up` UInt32 CODEC(T64, ZSTD(1)),
    `packets_down` UInt32 CODEC(T64, ZSTD(1)),
    `framing_up` Int64 DEFAULT 0 COMMENT 'bytes_up less payload_up' CODEC(T64, ZSTD(1)),
    `framing_down` Int64 DEFAULT 0 COMMENT 'bytes_down less payload_down' CODEC(T64, ZSTD(1)),
    `state` LowCardinality(String),
    `flags_up` UInt8 CODEC(ZSTD(1)),
    `flags_down` UInt8 CODEC(ZSTD(1)),
    `rtt_us` Nullable(UInt32) CODEC(T64, ZSTD(1)),
    `retransmits_up` UInt32 CODEC(T64, ZSTD(1)),
    `retransmits_down` UInt32 CODEC(T64, ZSTD(1)),
    `ttl_up_min` Nullable(UInt8) CODEC(ZSTD(1)),
    `ttl_up_max` Nullable(UInt8) CODEC(ZSTD(1)),
    `ttl_down_min` Nullable(UInt8) CODEC(ZSTD(1)),
    `ttl_down_max` Nullable(UInt8) CODEC(ZSTD(1)),
    `ended` LowCardinality(String),
    `application` LowCardinality(String),
    `server_name` String CODEC(ZSTD(1)),
    `name_source` LowCardinality(String),
    `alpn` String CODEC(ZSTD(1)),
    `tls_version` LowCardinality(String),
    `ja4` String CODEC(ZSTD(1)),
    `ech` LowCardinality(String),
    `http_method` LowCardinality(String),
    `http_status` Nullable(UInt16) CODEC(ZSTD(1)),
    `http_location` String CODEC(ZSTD(1)),
    `hello` UInt8 CODEC(ZSTD(1)),
    `reset_by` LowCardinality(String),
    `reset_ttl_delta` Nullable(Int16) CODEC(ZSTD(1)),
    `unacked_down` Int64 DEFAULT 0 COMMENT 'TCP: payload_down less acked_down; others: 0 less acked_down' CODEC(T64, ZSTD(1)),
    `syn_signature` String CODEC(ZSTD(1)),
    `lost` UInt64 CODEC(T64, ZSTD(1)),
    `certificate` String CODEC(ZSTD(1)),
    `issuer` String CODEC(ZSTD(1)),
    `logins` UInt16 CODEC(T64, ZSTD(1)),
    `logins_failed` UInt16 CODEC(T64, ZSTD(1)),
    `reset_us` Nullable(UInt32) CODEC(T64, ZSTD(1)),
    `bursts_down` UInt16 CODEC(T64, ZSTD(1)),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `device_ownership` LowCardinality(String),
    `categories` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `service` LowCardinality(String),
    `action` LowCardinality(String),
    `clause` LowCardinality(String),
    `policy_version` LowCardinality(String),
    `verdict` LowCardinality(String),
    `mechanism` LowCardinality(String),
    `confidence` UInt8 CODEC(ZSTD(1)),
    `arrived` DateTime64(0, 'UTC') MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1)),
    `community_id` String ALIAS concat('1:', base64Encode(SHA1(arrayMap((a, b, p, q, paired) -> concat(char(0, 0), if(paired AND ((a, p) > (b, q)), concat(b, a), concat(a, b)), char(protocol, 0), multiIf((protocol NOT IN (1, 6, 17, 58, 132)), '', paired AND ((a, p) > (b, q)), concat(q, p), concat(p, q))), [substring(reinterpret(client, 'FixedString(16)'), if(isIPAddressInRange(toString(client), '::ffff:0:0/96'), 13, 1))], [substring(reinterpret(server, 'FixedString(16)'), if(isIPAddressInRange(toString(server), '::ffff:0:0/96'), 13, 1))], [char(bitShiftRight(client_port, 8), client_port % 256)], [multiIf(protocol = 1, char(0, transform(client_port, [8, 0, 13, 14, 15, 16, 17, 18, 9, 10], [0, 8, 14, 13, 16, 15, 18, 17, 10, 9], server_port)), protocol = 58, char(0, transform(client_port, [128, 129, 133, 134, 135, 136, 130, 131, 139, 140, 144, 145], [129, 128, 134, 133, 136, 135, 131, 130, 140, 139, 145, 144], server_port)), char(bitShiftRight(server_port, 8), server_port % 256))], [multiIf(protocol = 1, (client_port IN (8, 0, 13, 14, 15, 16, 17, 18, 9, 10)), protocol = 58, (client_port IN (128, 129, 133, 134, 135, 136, 130, 131, 139, 140, 144, 145)), true)])[1]))),
    `client_inside` UInt8 ALIAS if(bitShiftRight(toUInt128(client), 32) = 65535, (bitShiftRight(toUInt32(toUInt128(client)), 24) IN (0, 10, 127)) OR (bitShiftRight(toUInt32(toUInt128(client)), 22) = 401) OR (bitShiftRight(toUInt32(toUInt128(client)), 20) = 2753) OR (bitShiftRight(toUInt32(toUInt128(client)), 16) IN (43518, 49320)) OR (toUInt32(toUInt128(client)) >= 3758096384), (toUInt128(client) < 2) OR (bitShiftRight(toUInt128(client), 121) >= 126)),
    `server_inside` UInt8 ALIAS if(bitShiftRight(toUInt128(server), 32) = 65535, (bitShiftRight(toUInt32(toUInt128(server)), 24) IN (0, 10, 127)) OR (bitShiftRight(toUInt32(toUInt128(server)), 22) = 401) OR (bitShiftRight(toUInt32(toUInt128(server)), 20) = 2753) OR (bitShiftRight(toUInt32(toUInt128(server)), 16) IN (43518, 49320)) OR (toUInt32(toUInt128(server)) >= 3758096384), (toUInt128(server) < 2) OR (bitShiftRight(toUInt128(server), 121) >= 126)),
    `crosses` UInt8 ALIAS (client_inside != server_inside) OR ((NOT client_inside) AND ((bitShiftRight(toUInt128(client), 32) = 65535) OR (bitShiftRight(toUInt128(client), 80) != bitShiftRight(toUInt128(server), 80)))),
    `failed` Bool MATERIALIZED (packets_up > 0) AND multiIf(protocol = 6, (state IN ('S0', 'REJ', 'RSTOS0', 'SH')) AND (bitAnd(flags_up, 18) = 2), protocol = 17, state = 'S0', protocol = 1, (packets_down = 0) AND (client_port IN (8, 13, 15, 17)), protocol = 58, (packets_down = 0) AND (client_port = 128), false),
    `sight` LowCardinality(String) ALIAS multiIf((application IN ('wireguard', 'openvpn', 'ipsec', 'pptp', 'l2tp', 'tor', 'softether', 'tinc', 'encrypted')), 'tunnel', (application IN ('tls', 'dtls', 'quic')) AND ((server_port = 853) OR (alpn IN ('dot', 'doq')) OR has(categories, 'doh')), 'encrypted_dns', application = 'dnscrypt', 'encrypted_dns', (ech != 'none') AND (ech != '') AND (server_name = 'cloudflare-ech.com'), 'ech', (name_source = 'none') AND (application IN ('tls', 'quic', 'dtls')), 'no_name', (name_source IN ('sni', 'quic')) AND (ech = 'grease_or_real'), 'ech_or_grease', name_source = 'dns', 'dns', (name_source != 'none') AND (name_source != ''), 'named', 'nameless'),
    `end` DateTime64(6, 'UTC') ALIAS fromUnixTimestamp64Micro(toUnixTimestamp64Micro(start) + lasted, 'UTC'),
    `first` DateTime64(6, 'UTC') ALIAS fromUnixTimestamp64Micro(toUnixTimestamp64Micro(start) - since_first, 'UTC'),
    `payload_up` UInt64 ALIAS bytes_up - framing_up,
    `payload_down` UInt64 ALIAS bytes_down - framing_down,
    `acked_down` UInt64 ALIAS if(protocol = 6, payload_down, 0) - unacked_down,
    `hollow` Bool MATERIALIZED (protocol = 6) AND (packets_down > 0) AND (bytes_up = framing_up) AND (bytes_down = framing_down) AND (bitAnd(flags_up, 2) = 2) AND (state IN ('SF', 'RSTO', 'RSTR', 'S2', 'S3'))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(start)
ORDER BY (toStartOfHour(start), site, client, start)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

CREATE TABLE flows_to_sum
(
    `start` DateTime64(6, 'UTC'),
    `end` DateTime64(6, 'UTC'),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `client` IPv6,
    `client_mac` UInt64,
    `vlan` UInt16,
    `service` LowCardinality(String),
    `category` LowCardinality(String),
    `application` LowCardinality(String),
    `name_source` LowCardinality(String),
    `action` LowCardinality(String),
    `sight` LowCardinality(String),
    `bytes_up` UInt64,
    `bytes_down` UInt64,
    `packets_up` UInt64,
    `packets_down` UInt64,
    `begun` UInt8 COMMENT 'the first row of its flow',
    `crosses` UInt8,
    `received` UInt64 COMMENT 'bytes of the link, where it crosses it',
    `sent` UInt64,
    `in_vain` UInt8 COMMENT 'failed, and neither to a name that was resolved nor to a peer',
    `server` IPv6,
    `port` UInt16,
    `protocol` UInt8
)
ENGINE = `Null`;

CREATE TABLE health
(
    `ts` DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `sensor` LowCardinality(String),
    `boot` String CODEC(ZSTD(1)),
    `sequence` UInt64 CODEC(Delta(8), ZSTD(1)),
    `event` LowCardinality(String),
    `packets` UInt64 CODEC(T64, ZSTD(1)),
    `bytes` UInt64 CODEC(T64, ZSTD(1)),
    `dropped_kernel` UInt64 CODEC(T64, ZSTD(1)),
    `dropped_ring` UInt64 CODEC(T64, ZSTD(1)),
    `truncated` UInt64 CODEC(T64, ZSTD(1)),
    `malformed` UInt64 CODEC(T64, ZSTD(1)),
    `unknown_link` UInt64 CODEC(T64, ZSTD(1)),
    `duplicates` UInt64 CODEC(T64, ZSTD(1)),
    `flows` UInt64 CODEC(T64, ZSTD(1)),
    `flows_peak` UInt64 CODEC(T64, ZSTD(1)),
    `evicted` UInt64 CODEC(T64, ZSTD(1)),
    `reassembly_peak` UInt64 CODEC(T64, ZSTD(1)),
    `outbox_bytes` UInt64 CODEC(T64, ZSTD(1)),
    `outbox_lost` UInt64 CODEC(T64, ZSTD(1)),
    `clock_offset_us` Nullable(Int64) CODEC(T64, ZSTD(1)),
    `lists` LowCardinality(String),
    `policy` LowCardinality(String),
    `version` LowCardinality(String),
    `heads_refused` UInt64 CODEC(T64, ZSTD(1)),
    `site` LowCardinality(String),
    `arrived` DateTime64(0, 'UTC') MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1)),
    PROJECTION slots
    (
        SELECT
            sensor,
            toStartOfFiveMinutes(ts),
            event,
            site,
            boot,
            count(),
            min(ts),
            max(ts),
            groupBitOr(bitShiftLeft(toUInt16(1), intDiv(toUnixTimestamp(ts), 20) % 15)),
            sum(packets),
            sum(bytes),
            sum(dropped_kernel),
            sum(dropped_ring),
            sum(truncated),
            sum(malformed),
            sum(unknown_link),
            sum(duplicates),
            sum(evicted),
            sum(outbox_lost),
            max(flows_peak),
            argMax(flows, ts),
            argMax(outbox_bytes, ts),
            argMax(version, ts),
            argMax(clock_offset_us, ts),
            maxIf(ts, isNotNull(clock_offset_us))
        GROUP BY
            sensor,
            toStartOfFiveMinutes(ts),
            event,
            site,
            boot
    )
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (sensor, ts)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

CREATE TABLE hosts_1h
(
    `hour` DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `site` LowCardinality(String),
    `client` IPv6 CODEC(ZSTD(1)),
    `client_mac` UInt64 CODEC(ZSTD(1)),
    `vlan` UInt16 CODEC(T64, ZSTD(1)),
    `first` SimpleAggregateFunction(min, DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
    `last` SimpleAggregateFunction(max, DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
    `arrived` SimpleAggregateFunction(max, DateTime64(0, 'UTC')) MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, site, client, client_mac, vlan)
SETTINGS non_replicated_deduplication_window = 10000, min_bytes_for_wide_part = 134217728, index_granularity = 8192;

CREATE TABLE inventory
(
    `mac` UInt64 CODEC(ZSTD(1)),
    `at` DateTime64(6, 'UTC') COMMENT 'from when on this holds; 1970: it was in the first inventory that was read' CODEC(Delta(8), ZSTD(1)),
    `present` UInt8 CODEC(ZSTD(1)),
    `name` String CODEC(ZSTD(1)),
    `owner_group` LowCardinality(String) CODEC(ZSTD(1)),
    `site` LowCardinality(String) COMMENT 'as the file names it' CODEC(ZSTD(1)),
    `tags` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `file` LowCardinality(String) CODEC(ZSTD(1)),
    `version` LowCardinality(String) COMMENT 'first 16 hex digits of the SHA-256 of all devices' CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (mac, at)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE judged
(
    `by` LowCardinality(String) COMMENT 'who judges: detectors',
    `until` DateTime64(3, 'UTC') COMMENT 'newest `stored` of batches that a finished round covered',
    `finished` DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(until)
ORDER BY by
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE link_5m
(
    `site` LowCardinality(String),
    `slot` DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `received` UInt64 CODEC(T64, ZSTD(1)),
    `sent` UInt64 CODEC(T64, ZSTD(1)),
    `arrived` SimpleAggregateFunction(max, DateTime64(0, 'UTC')) MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1))
)
ENGINE = SummingMergeTree((received, sent, arrived))
PARTITION BY toYYYYMM(slot)
ORDER BY (site, slot)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728, index_granularity = 8192;

CREATE TABLE lists
(
    `since` DateTime64(6, 'UTC') COMMENT 'from when on rows are classified by it',
    `version` LowCardinality(String) COMMENT 'of all lists together: first 16 hex digits of a SHA-256 of the content',
    `list` LowCardinality(String),
    `title` LowCardinality(String),
    `categories` Array(LowCardinality(String)),
    `allow` Bool COMMENT 'an allow list: it takes categories away',
    `url` LowCardinality(String) COMMENT 'empty: the organisation\'s own, or ours',
    `licence` LowCardinality(String),
    `sha256` LowCardinality(String) COMMENT 'of the list\'s file',
    `entries` UInt64 COMMENT 'names and networks that it lists',
    `added` UInt64 COMMENT 'names that the version before did not have',
    `removed` UInt64 COMMENT 'names that only the version before had'
)
ENGINE = MergeTree
ORDER BY (since, list)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE outcomes
(
    `step` UInt32 COMMENT 'seconds: an hour, a day, or a week' CODEC(ZSTD(1)),
    `start` DateTime64(0, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `categories` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `clause` LowCardinality(String),
    `action` LowCardinality(String),
    `verdict` LowCardinality(String),
    `mechanism` LowCardinality(String),
    `initiated` LowCardinality(String),
    `attempts` UInt64 CODEC(T64, ZSTD(1)),
    `widgets` UInt64 COMMENT 'embedded ones' CODEC(T64, ZSTD(1)),
    `unmeasured` UInt64 COMMENT 'whose loss is not known' CODEC(T64, ZSTD(1)),
    `first` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `last` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `hosts` Array(UInt32) COMMENT 'IPv4 addresses of the clients, each once' CODEC(ZSTD(1)),
    `hosts6` Array(IPv6) COMMENT 'the others' CODEC(ZSTD(1)),
    `as_of` DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    `oldest` DateTime64(6, 'UTC') COMMENT 'when the first of the step\'s attempts was written: the sum goes when that does' CODEC(ZSTD(1)),
    `parts` UInt32 COMMENT 'rows of the step as of then: sums of which one is missing, or doubled, do not count' CODEC(ZSTD(1)),
    PROJECTION steps
    (
        SELECT
            step,
            start,
            as_of,
            max(parts),
            count()
        GROUP BY
            step,
            start,
            as_of
    )
)
ENGINE = ReplacingMergeTree(as_of)
PARTITION BY toYYYYMM(start)
ORDER BY (step, start, site, group, categories, clause, action, verdict, mechanism, initiated)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728, deduplicate_merge_projection_mode = 'rebuild', index_granularity = 8192;

CREATE TABLE policies
(
    `version` String COMMENT 'first 16 hex digits of the SHA-256 of the content',
    `loaded` DateTime64(6, 'UTC'),
    `valid_from` DateTime64(6, 'UTC') COMMENT 'the policy\'s own, else when it was loaded',
    `file` String CODEC(ZSTD(1)),
    `loaded_by` LowCardinality(String) COMMENT 'user and host of the process that loaded it',
    `content` String COMMENT 'JSON, keys as in the file, defaults left out' CODEC(ZSTD(1)),
    `changes` Array(String) COMMENT 'what differs from the one loaded before, a line each' CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (loaded, version)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE schema_migrations
(
    `name` String,
    `sha256` String,
    `applied` DateTime('UTC')
)
ENGINE = MergeTree
ORDER BY name
SETTINGS index_granularity = 8192;

CREATE TABLE sight_1m
(
    `minute` DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `sight` LowCardinality(String),
    `bytes` UInt64 CODEC(T64, ZSTD(1)),
    `flows` UInt64 CODEC(T64, ZSTD(1)),
    `arrived` SimpleAggregateFunction(max, DateTime64(0, 'UTC')) MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1)),
    PROJECTION hours
    (
        SELECT
            toStartOfHour(minute),
            site,
            group,
            sight,
            sum(bytes),
            sum(flows)
        GROUP BY
            toStartOfHour(minute),
            site,
            group,
            sight
    )
)
ENGINE = SummingMergeTree((bytes, flows, arrived))
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, site, group, sight)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728, index_granularity = 8192, deduplicate_merge_projection_mode = 'rebuild';

CREATE TABLE sightings
(
    `ts` DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `vlan` UInt16 CODEC(T64, ZSTD(1)),
    `source` LowCardinality(String),
    `mac` UInt64 CODEC(ZSTD(1)),
    `ip` IPv6 CODEC(ZSTD(1)),
    `name` String CODEC(ZSTD(1)),
    `value` String CODEC(ZSTD(1)),
    `attributes` Map(String, String) CODEC(ZSTD(1)),
    `sensor` LowCardinality(String),
    `site` LowCardinality(String),
    `arrived` DateTime64(0, 'UTC') MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (toStartOfHour(ts), site, mac, source, ts)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

CREATE TABLE sites_1h
(
    `hour` DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `service` LowCardinality(String),
    `category` LowCardinality(String),
    `application` LowCardinality(String),
    `name_source` LowCardinality(String),
    `bytes_up` UInt64 CODEC(T64, ZSTD(1)),
    `bytes_down` UInt64 CODEC(T64, ZSTD(1)),
    `packets_up` UInt64 CODEC(T64, ZSTD(1)),
    `packets_down` UInt64 CODEC(T64, ZSTD(1)),
    `flows` UInt64 CODEC(T64, ZSTD(1)),
    `arrived` SimpleAggregateFunction(max, DateTime64(0, 'UTC')) MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1)),
    PROJECTION everywhere
    (
        SELECT
            hour,
            service,
            category,
            application,
            name_source,
            sum(bytes_up),
            sum(bytes_down),
            sum(packets_up),
            sum(packets_down),
            sum(flows)
        GROUP BY
            hour,
            service,
            category,
            application,
            name_source
    )
)
ENGINE = SummingMergeTree((bytes_up, bytes_down, packets_up, packets_down, flows, arrived))
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, site, group, service, category, application, name_source)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728, index_granularity = 8192, deduplicate_merge_projection_mode = 'rebuild';

CREATE TABLE sites_5m
(
    `slot` DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `service` LowCardinality(String),
    `category` LowCardinality(String),
    `application` LowCardinality(String),
    `name_source` LowCardinality(String),
    `bytes_up` UInt64 CODEC(T64, ZSTD(1)),
    `bytes_down` UInt64 CODEC(T64, ZSTD(1)),
    `packets_up` UInt64 CODEC(T64, ZSTD(1)),
    `packets_down` UInt64 CODEC(T64, ZSTD(1)),
    `flows` UInt64 CODEC(T64, ZSTD(1)),
    `arrived` SimpleAggregateFunction(max, DateTime64(0, 'UTC')) MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1)),
    PROJECTION everywhere
    (
        SELECT
            slot,
            service,
            category,
            application,
            name_source,
            sum(bytes_up),
            sum(bytes_down),
            sum(packets_up),
            sum(packets_down),
            sum(flows)
        GROUP BY
            slot,
            service,
            category,
            application,
            name_source
    )
)
ENGINE = SummingMergeTree((bytes_up, bytes_down, packets_up, packets_down, flows, arrived))
PARTITION BY toYYYYMM(slot)
ORDER BY (slot, site, group, service, category, application, name_source)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728, index_granularity = 8192, deduplicate_merge_projection_mode = 'rebuild';

CREATE TABLE traffic_1h
(
    `hour` DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `client` IPv6 CODEC(ZSTD(1)),
    `service` LowCardinality(String),
    `category` LowCardinality(String),
    `application` LowCardinality(String),
    `name_source` LowCardinality(String),
    `action` LowCardinality(String),
    `bytes_up` UInt64 CODEC(T64, ZSTD(1)),
    `bytes_down` UInt64 CODEC(T64, ZSTD(1)),
    `packets_up` UInt64 CODEC(T64, ZSTD(1)),
    `packets_down` UInt64 CODEC(T64, ZSTD(1)),
    `flows` UInt64 CODEC(T64, ZSTD(1)),
    `arrived` SimpleAggregateFunction(max, DateTime64(0, 'UTC')) MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1)),
    INDEX clients client TYPE minmax GRANULARITY 1,
    PROJECTION users_of_services
    (
        SELECT
            lower(service),
            hour,
            site,
            client,
            category,
            name_source,
            sum(bytes_up),
            sum(bytes_down),
            sum(packets_up),
            sum(packets_down),
            sum(flows)
        GROUP BY
            lower(service),
            hour,
            site,
            client,
            category,
            name_source
    )
)
ENGINE = SummingMergeTree((bytes_up, bytes_down, packets_up, packets_down, flows, arrived))
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, site, client, service, category, group, application, name_source, action)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728, index_granularity = 8192, deduplicate_merge_projection_mode = 'rebuild';

CREATE TABLE traffic_1m
(
    `minute` DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `client` IPv6 CODEC(ZSTD(1)),
    `service` LowCardinality(String),
    `category` LowCardinality(String),
    `application` LowCardinality(String),
    `name_source` LowCardinality(String),
    `action` LowCardinality(String),
    `bytes_up` UInt64 CODEC(T64, ZSTD(1)),
    `bytes_down` UInt64 CODEC(T64, ZSTD(1)),
    `packets_up` UInt64 CODEC(T64, ZSTD(1)),
    `packets_down` UInt64 CODEC(T64, ZSTD(1)),
    `flows` UInt64 CODEC(T64, ZSTD(1)),
    `arrived` SimpleAggregateFunction(max, DateTime64(0, 'UTC')) MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1)),
    INDEX clients client TYPE minmax GRANULARITY 1,
    PROJECTION everywhere
    (
        SELECT
            minute,
            service,
            category,
            application,
            name_source,
            sum(bytes_up),
            sum(bytes_down),
            sum(packets_up),
            sum(packets_down),
            sum(flows)
        GROUP BY
            minute,
            service,
            category,
            application,
            name_source
    ),
    PROJECTION hosts
    (
        SELECT
            toStartOfFiveMinutes(minute),
            site,
            client,
            sum(bytes_up),
            sum(bytes_down),
            sum(packets_up),
            sum(packets_down),
            sum(flows),
            sumIf(bytes_up + bytes_down, name_source = 'none'),
            sumIf(bytes_up + bytes_down, name_source = 'sni'),
            sumIf(bytes_up + bytes_down, name_source = 'quic'),
            sumIf(bytes_up + bytes_down, name_source = 'http'),
            sumIf(bytes_up + bytes_down, name_source = 'dns')
        GROUP BY
            toStartOfFiveMinutes(minute),
            site,
            client
    )
)
ENGINE = SummingMergeTree((bytes_up, bytes_down, packets_up, packets_down, flows, arrived))
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, site, client, service, category, group, application, name_source, action)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, min_bytes_for_wide_part = 134217728, deduplicate_merge_projection_mode = 'rebuild';

CREATE TABLE usage_1h
(
    `hour` DateTime64(0, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `site` LowCardinality(String),
    `client` IPv6 CODEC(ZSTD(1)),
    `bytes_up` UInt64 CODEC(T64, ZSTD(1)),
    `bytes_down` UInt64 CODEC(T64, ZSTD(1)),
    `packets_up` UInt64 CODEC(T64, ZSTD(1)),
    `packets_down` UInt64 CODEC(T64, ZSTD(1)),
    `flows` UInt64 CODEC(T64, ZSTD(1)),
    `by_none` UInt64 CODEC(T64, ZSTD(1)),
    `by_sni` UInt64 CODEC(T64, ZSTD(1)),
    `by_quic` UInt64 CODEC(T64, ZSTD(1)),
    `by_http` UInt64 CODEC(T64, ZSTD(1)),
    `by_dns` UInt64 CODEC(T64, ZSTD(1)),
    `arrived` SimpleAggregateFunction(max, DateTime64(0, 'UTC')) MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1)),
    PROJECTION days
    (
        SELECT
            toStartOfDay(hour),
            site,
            client,
            sum(bytes_up),
            sum(bytes_down),
            sum(packets_up),
            sum(packets_down),
            sum(flows),
            sum(by_none),
            sum(by_sni),
            sum(by_quic),
            sum(by_http),
            sum(by_dns)
        GROUP BY
            toStartOfDay(hour),
            site,
            client
    )
)
ENGINE = SummingMergeTree((bytes_up, bytes_down, packets_up, packets_down, flows, by_none, by_sni, by_quic, by_http, by_dns, arrived))
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, site, client)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728, index_granularity = 8192, deduplicate_merge_projection_mode = 'rebuild';

INSERT INTO access_log (`at`, `token_id`, `token_name`, `roles`, `path`, `subject`, `case_reference`, `query`, `rows`) VALUES ('1985-05-16 02:49:51.442454', ', tu^HK%G', 'o', ['+@'], '^fR1KM|', ';d', 'e', 'b_CT', 919111381), ('1991-09-22 12:37:30.964799', '8BZ<^!c,', 'Qd)I)', ['.2JOfj;',']oxS^om;'], 'I', '\'o8r+"m2', '\'CEa', 'U=.?4Q', 2572153621), ('2031-10-27 22:18:56.204846', 'nF/lq?i7', 'Z|EEesHYK', ['me|F3NJf'], '5sM&', 'a"`XN', '<!yo!|PR', ' e', 4067200479), ('2040-09-24 03:11:17.141989', 'g[+$I.".', 'k,o*', [''], '|', '_f|AhU<3`', 'D"v!;', '\'ktcIU', 2405158318), ('2063-12-17 00:06:52.147438', 'Zj^k3ad', '', ['DFS'], '} 9T', 'iH/gp^', '6*@', 'fGLpy#', 2708169558), ('2066-04-01 11:34:19.760736', 'S\\cAh>x', '.Z%', [], 'UY\'hX.:', 'W_', '/7t', 'sPa`*M"B', 1672848562);

INSERT INTO attempts (`site`, `client`, `group`, `name`, `window_start`, `first`, `last`, `categories`, `service`, `action`, `clause`, `policy_version`, `verdict`, `mechanism`, `confidence`, `corroborators`, `evidence`, `blocked_over`, `delivered_over`, `bytes_down`, `dns`, `tcp`, `quic`, `resolved`, `resolver`, `embedded`, `initiated`, `loss`, `samples`, `content`, `removed`, `updated`) VALUES ('', 'f6d6:13c5:718e:f22:f030:50be:361a:3c75', 'tTV2', 'me|F3NJf', '2100-03-21 16:37:41.015792', '2010-01-27 12:30:41.926064', '2055-05-18 20:15:56.354726', [], 'sPa`*M"B', ' rfqy;6d~', 'WjGV@?%G`', ':qW', 'u', '', 36, ['Dz','B@c'], ['m9'], [], ['(tgG^Oy2%','*^3&yA'], 4445382775269697842, 3295390845, 1463601388, 2153139774, true, '$Rw', false, 'RNf1c', -1.434285263974302e-156, ['K;r','B'], 12125483062425199505, 0, '1978-12-27 02:27:18.614325'), ('+L,#', 'd44f:2413:882b:418:3e42:ad5d:da9e:a84b', '.Z%', '(-', '2095-01-05 06:30:12.856340', '2086-12-28 04:33:09.340367', '2020-11-17 23:30:33.491789', ['j4$1a"`'], '\'CEa', 'U=.?4Q', '2!c/m', '', '&', '!*9Va@', 48, ['wbL|MLO'], ['Rw?^`X('], [], ['2di)hV2v','&dh'], 5515226275311891021, 2676133932, 2900254481, 1453820410, true, '|=b2H:vi', false, '', -2.4244690376589693e127, ['rz'], 8863087813147960081, 0, '2051-07-09 07:28:10.393121'), ('3adp31#)S', '7c6f:cf26:8f07:d726:7f08:9f79:b5f2:d28a', '', ']oxS^om;', '2018-06-28 20:07:41.295814', '1990-03-29 07:35:07.700497', '2074-03-22 23:12:34.109865', ['6*@','/7t'], 'fGLpy#', 'dT;Uh', '{', '>)', 'R?dEccs', '[', 33, ['1^}','j'], ['=N.B;F{g'], ['}+wT@\'','o)$)n k'], [], 6218255469205385434, 2417735919, 2723605259, 864255932, false, '2 b[d%', true, 'Ji', -4.185601261052269e-182, ['','p'], 12115330773638160970, 0, '2083-05-10 07:19:42.945765'), ('Xp}6, tu^', '1ed3:1669:8328:28cf:9ddb:c555:e7c4:3f3f', 'Z|EEesHYK', 'DFS', '1989-07-28 18:30:49.532195', '1999-10-28 11:20:04.751617', '2044-12-12 17:38:55.888932', ['d'], 'D"v!;', '\'ktcIU', '%sPZK', '', 'JX&b', '}', 107, ['','W-aO+XpW'], ['wmD,S(-MV'], ['5g'], ['\\C7(%Wf9','e4a9H'], 12405237165636946621, 855026324, 4145082598, 3044007161, false, '/Xltjxq', false, ';k_\\zci|}', 5.291838610034128e105, [], 18281341395639414339, 0, '2011-10-14 02:37:18.179294'), ('xH1g?a', '24a8:b303:db5:3522:e015:9404:3092:cbf4', 'Qd)I)', '! cG+@5', '2033-09-16 19:41:45.987907', '1978-11-16 16:28:45.165707', '1981-03-02 15:58:31.203501', [], '<!yo!|PR', ' e', '|"?YJb30l', '},pVb(KKz', '', 'K\'iSV~\'', 189, [], [], [], ['q|i','<_x'], 13668679596235693458, 881596014, 1558619994, 3061547159, false, 'ZLVcv', false, 'q_,bXef', -5.743548173918166e96, ['Z}Ps9Pd',''], 1517231992887295281, 0, '2077-11-17 02:34:46.576787'), ('|,B', '40a7:8246:ed86:7d1:61c1:a6a1:b91e:3f0b', 'k,o*', '.2JOfj;', '2021-05-22 04:18:54.331081', '2094-02-14 07:08:51.910411', '2092-08-21 13:29:46.294722', ['h','}Iiie'], 'b_CT', ']EzXTylU)', 'G>', 'H*r', '}6=]', 'Djlmx\\`q2', 155, ['sU-3@'], [')d','N$JsrA'], ['O+5Ra'], [], 8304039969331639013, 2290892726, 1135611702, 2815733802, true, '', false, '34kD*,', -1.997681951484359e93, [], 2757114365515576259, 0, '2037-06-10 18:22:46.413264');

INSERT INTO batches (`sensor`, `boot`, `sequence`, `part`, `parts`, `records`, `rows`, `first`, `last`, `sha256`, `inserted`, `stored`) VALUES ('', '.Z%', 11136678558223677972, 480105931, 828215853, 'me|F3NJf', 10105872410453015792, '2010-01-27 12:30:41.926064', '2055-05-18 20:15:56.354726', '6*@', '1972-08-03 05:08:46.345', '2097-01-27 02:42:46.961'), ('+L,#', '8BZ<^!c,', 4505596330375708575, 1903195658, 3722100662, '(-', 15912503911796856340, '2086-12-28 04:33:09.340367', '2020-11-17 23:30:33.491789', 'p^M~)NsZW', '1975-05-10 23:18:51.713', '1972-03-05 07:28:33.909'), ('3adp31#)S', '', 7226418707458334091, 555469518, 2381243382, ']oxS^om;', 851933741069295814, '1990-03-29 07:35:07.700497', '2074-03-22 23:12:34.109865', 'e', '2059-06-20 00:30:41.098', '2033-10-07 04:53:15.654'), ('Xp}6, tu^', 'g[+$I.".', 3362960918313900335, 725574580, 3502919018, 'DFS', 3342102210137532195, '1999-10-28 11:20:04.751617', '2044-12-12 17:38:55.888932', 'a"`XN', '2047-06-18 08:57:44.384', '1981-11-05 07:42:49.173'), ('xH1g?a', 'nF/lq?i7', 7971398294442116376, 1349997415, 1134467003, '! cG+@5', 7037166943353987907, '1978-11-16 16:28:45.165707', '1981-03-02 15:58:31.203501', '\'o8r+"m2', '2037-10-24 05:18:01.569', '2068-09-25 02:56:56.955'), ('|,B', 'o', 11348101222935365189, 1761787829, 1464389981, '.2JOfj;', 11224371201582331081, '2094-02-14 07:08:51.910411', '2092-08-21 13:29:46.294722', '_f|AhU<3`', '2045-11-09 23:22:43.741', '1998-06-30 04:09:20.008');

INSERT INTO bindings (`site`, `ip`, `vlan`, `mac`, `name`, `user`, `session`, `source`, `from`, `to`, `confidence`, `removed`, `updated`) VALUES ('', 'f6d6:13c5:718e:f22:f030:50be:361a:3c75', 40635, 11136678558223677972, 'DFS', '} 9T', 'iH/gp^', '6*@', '2052-03-16 22:45:13.310345', '2038-09-21 09:20:10.150961', 115, 0, '2013-03-13 22:14:31.048676'), ('+L,#', 'd44f:2413:882b:418:3e42:ad5d:da9e:a84b', 27477, 4505596330375708575, 'D0gFk,o*', '.2JOfj;', 'UY\'hX.:', 'W_', '1989-08-09 05:38:06.555713', '2073-07-29 07:25:40.769909', 166, 0, '2092-06-24 21:11:22.601287'), ('3adp31#)S', '7c6f:cf26:8f07:d726:7f08:9f79:b5f2:d28a', 9890, 7226418707458334091, '! cG+@5', '^fR1KM|', ';d', 'e', '2072-06-08 19:11:41.233098', '2080-03-02 21:33:36.059654', 1, 0, '2061-09-12 20:45:32.706839'), ('Xp}6, tu^', '1ed3:1669:8328:28cf:9ddb:c555:e7c4:3f3f', 55526, 3362960918313900335, 'tTV2', 'me|F3NJf', '5sM&', 'a"`XN', '2011-09-22 15:14:13.640384', '2036-02-27 12:25:00.025173', 230, 0, '1981-12-09 07:24:03.515428'), ('xH1g?a', '24a8:b303:db5:3522:e015:9404:3092:cbf4', 13120, 7971398294442116376, '', ']oxS^om;', 'I', '\'o8r+"m2', '2011-09-19 02:39:26.857569', '2037-03-13 05:24:04.344955', 38, 0, '2037-05-27 18:20:52.698301'), ('|,B', '40a7:8246:ed86:7d1:61c1:a6a1:b91e:3f0b', 26300, 11348101222935365189, '(-', '', '|', '_f|AhU<3`', '2049-01-05 15:55:14.243741', '1988-09-03 17:08:19.312008', 57, 0, '1975-02-18 08:25:54.121276');

INSERT INTO bindings_left_out (`site`, `hour`, `reason`, `left_out`, `updated`) VALUES ('', '2015-08-08 10:36:13', 'Z|EEesHYK', 7830311605270777202, '2083-05-21 17:53:13.806382'), ('+L,#', '1980-03-05 23:27:16', 'g[+$I.".', 7566821108771414964, '1998-05-28 16:32:34.650060'), ('3adp31#)S', '2025-11-14 06:58:38', 'Qd)I)', 3557160005044986870, '2001-05-23 10:21:14.177823'), ('Xp}6, tu^', '1971-12-20 19:33:56', '', 4872498679998234550, '1980-03-23 02:04:40.197932'), ('xH1g?a', '2019-10-21 05:29:34', 'o', 2062039272816102094, '2038-06-28 11:37:47.150517'), ('|,B', '1972-06-08 01:09:52', '.Z%', 6289507080487980394, '2003-01-06 10:27:24.492651');

INSERT INTO dns (`ts`, `client`, `server`, `vlan`, `transport`, `id`, `qname`, `qtype`, `rcode`, `ra`, `ede`, `answers`, `addresses`, `min_ttl`, `rtt_us`, `answered`, `aa`, `soa`, `sensor`, `site`, `group`, `device_ownership`, `categories`, `service`, `action`, `clause`, `policy_version`, `verdict`, `mechanism`, `confidence`) VALUES ('2026-03-02 08:00:01.650160', '::ffff:10.1.3.6', '::ffff:10.1.0.131', 5705, 'nbns', 19700, 'n49.example', 1619, 99, true, 8946, [], [], 68957, 99627, false, true, true, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:10.074332', '::ffff:10.1.1.34', '::ffff:10.1.3.149', 654, 'tcp', 31582, 'n320.example', 24229, 125, false, 29174, [], [], 24868, 15885, true, NULL, true, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:10.238372', '::ffff:10.1.1.246', '::ffff:10.1.1.221', 26643, 'tcp', 30786, 'n416.example', 15459, 103, false, 14927, ['a.example'], ['::ffff:192.0.2.1'], 48097, 16293, true, true, false, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:34.906056', '::ffff:10.1.3.177', '::ffff:10.1.2.144', 32204, 'udp', 32129, 'n121.example', 10975, 82, false, 8704, [], [], NULL, 2554, true, true, false, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:37.553232', '::ffff:10.1.1.157', '::ffff:10.1.0.46', 32270, 'llmnr', 30926, 'n439.example', 20664, 66, false, NULL, ['a.example'], ['::ffff:192.0.2.1'], 10293, 98297, true, true, false, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:39.662053', '::ffff:10.1.1.79', '::ffff:10.1.2.152', 31627, 'nbns', 3883, 'n109.example', 9029, 104, NULL, NULL, ['a.example','a.example'], ['::ffff:192.0.2.1'], 96074, 71852, false, true, true, '', '', '', '', [], '', '', '', '', '', '', 0);

;

INSERT INTO finding_parts (`detector`, `piece`, `site`, `subject_kind`, `subject`, `from`, `to`, `strength`, `confidence`, `statement`, `inputs`, `thresholds`, `samples`, `loss`, `inconclusive`, `removed`, `updated`) VALUES ('', '1988-03-09 21:11:41', 'Qd)I)', '! cG+@5', '^fR1KM|', '2094-02-14 07:08:51.910411', '2092-08-21 13:29:46.294722', 5.126380975856071e-248, 5, '/7t', {'sPa`*M"B':6.178517309449789e-140}, {}, ['!'], -3.2250465130609858e-223, false, 0, '2086-04-11 09:20:03.168473'), ('+L,#', '1980-03-05 23:27:16', 'nF/lq?i7', 'Z|EEesHYK', 'DFS', '2018-06-28 20:07:41.295814', '1990-03-29 07:35:07.700497', 5.3584143651342015e293, 180, '+"m2j', {}, {}, [], -3.3166797712929845e-218, true, 0, '1984-08-23 10:08:41.951554'), ('3adp31#)S', '1971-12-20 19:33:56', '.Z%', '(-', '', '1999-10-28 11:20:04.751617', '2044-12-12 17:38:55.888932', -3.1779489378392965e-162, 159, '6*@', {'fGLpy#':7.06740754489203e-83}, {' rfqy;6d~':6.096773765846043e-197}, ['b1S'], 1.1760048864402997e-220, true, 0, '1992-03-15 14:44:29.353087'), ('Xp}6, tu^', '2019-10-21 05:29:34', 'o', '', ']oxS^om;', '2086-12-28 04:33:09.340367', '2020-11-17 23:30:33.491789', -2324.9324691823645, 47, '_f|AhU<3`', {}, {')6)-l-)':-9.1134707314012e-270}, ['Mv'], 1.8942306050210338e120, true, 0, '2024-02-12 07:32:44.581664'), ('xH1g?a', '1982-10-08 12:01:12', 'g[+$I.".', 'k,o*', '.2JOfj;', '2100-03-21 16:37:41.015792', '2010-01-27 12:30:41.926064', -9.229344935958985e-215, 20, 'N', {';A>':-3.0808673551914604e181}, {}, [], 8.84560545850197e202, true, 0, '2101-07-14 03:04:04.983145'), ('|,B', '2010-03-23 10:58:34', '', 'tTV2', 'me|F3NJf', '1978-11-16 16:28:45.165707', '1981-03-02 15:58:31.203501', -3.94549736874249e306, 234, 'e', {'b_CT':3.040482379029852e103}, {'h<':3.2778382005735434e-110}, [], -4.355505880343116e-202, true, 0, '1982-02-13 00:22:01.614047');

INSERT INTO findings (`id`, `detector`, `class`, `title`, `subject_kind`, `subject`, `site`, `from`, `to`, `severity`, `confidence`, `clause`, `statement`, `inputs`, `thresholds`, `samples`, `loss`, `inconclusive`, `strength`, `withdrawn`, `updated`) VALUES ('', '.Z%', '(-', '', '|', '_f|AhU<3`', 'D"v!;', '1981-12-09 07:24:03.515428', '2064-11-11 08:46:58.261542', '2!c/m', 72, '@?%G`&', ':qW', {}, {'-r0b2P':-6.643550203609586e213}, ['','gTVWwmD,S'], 3.9143416700758073e155, false, -1.0568131358041982e-248, 'q|i', '2085-12-20 02:29:33.243925'), ('+L,#', '8BZ<^!c,', 'Qd)I)', '! cG+@5', '^fR1KM|', ';d', 'e', '2080-03-02 21:33:36.059654', '1975-02-18 08:25:54.121276', '', 121, 'Jb30', '', {'yY,kR?d':-9.484215997610691e126}, {'[':1.460193433903475e164}, ['+XpWq6','@cc\'+&#Z'], 4.3951922276824233e111, true, -1.451209638299516e96, 'nPd!o)$)', '2009-06-02 06:06:02.765693'), ('3adp31#)S', '', 'tTV2', 'me|F3NJf', '5sM&', 'a"`XN', '<!yo!|PR', '2037-05-27 18:20:52.698301', '2039-02-28 13:08:50.408385', ' rfqy;6d~', 126, '!', '>)', {'!*9Va@':-8.794516991783793e-72}, {}, [';8Ai-[&9"'], -7.450352311470211e152, true, -2.252397897482493e-241, '&dh', '2021-05-19 21:34:10.644746'), ('Xp}6, tu^', 'g[+$I.".', 'k,o*', '.2JOfj;', 'UY\'hX.:', 'W_', '/7t', '2024-10-18 14:36:18.936486', '2013-03-13 22:14:31.048676', ']EzXTylU)', 101, 'K^\\(MvSr', '', {}, {'':2.5766810171022023e252}, ['B@c','^3G|n|3U'], 1.1586012541747246e184, true, -5.520986233502542e-268, 'Nv0_XaN@', '2105-03-15 14:39:11.697438'), ('xH1g?a', 'nF/lq?i7', 'Z|EEesHYK', 'DFS', '} 9T', 'iH/gp^', '6*@', '2038-09-21 09:20:10.150961', '2061-09-12 20:45:32.706839', '\'ktcIU', 135, '@*m', '},pVb(KKz', {'"ksXu':-3.020249937359058e-261}, {}, ['AT{','pTFOD'], 6.30914315765897e-46, true, -1.207276307357855e81, '4a7.{cF^c', '2011-03-21 06:59:06.493984'), ('|,B', 'o', '', ']oxS^om;', 'I', '\'o8r+"m2', '\'CEa', '2092-06-24 21:11:22.601287', '1981-08-24 04:13:47.990186', 'dT;Uh', 12, 'b1S', 'H*r', {}, {}, [], -1.347322044797848e-193, false, 1.9632232032131074e43, '2di)hV2v', '2059-01-26 18:07:52.554123');

INSERT INTO flows (`sensor`, `vlan`, `tunnel`, `flow_id`, `start`, `lasted`, `since_first`, `client`, `server`, `client_port`, `server_port`, `protocol`, `client_mac`, `server_mac`, `bytes_up`, `bytes_down`, `packets_up`, `packets_down`, `framing_up`, `framing_down`, `state`, `flags_up`, `flags_down`, `rtt_us`, `retransmits_up`, `retransmits_down`, `ttl_up_min`, `ttl_up_max`, `ttl_down_min`, `ttl_down_max`, `ended`, `application`, `server_name`, `name_source`, `alpn`, `tls_version`, `ja4`, `ech`, `http_method`, `http_status`, `http_location`, `hello`, `reset_by`, `reset_ttl_delta`, `unacked_down`, `syn_signature`, `lost`, `certificate`, `issuer`, `logins`, `logins_failed`, `reset_us`, `bursts_down`, `site`, `group`, `device_ownership`, `categories`, `service`, `action`, `clause`, `policy_version`, `verdict`, `mechanism`, `confidence`) VALUES ('gate', 5126, 'lisp', 34455, '2026-03-02 08:00:16.997073', 0, 0, '::ffff:10.1.0.200', '::ffff:10.1.2.51', 21641, 18656, 38, 24054, 21013, 62795, 35563, 23063, 78087, 0, 0, 'SHR', 121, 1, NULL, 19955, 66473, 92, 105, 29, 103, 'evicted', 'teamviewer', 'n389.example', 'dns', 'n487.example', '1.3', 'n451.example', 'none', 'M-SEARCH', 8457, 'n153.example', 80, 'none', 23539, 0, 'n119.example', 81041, 'n342.example', 'n257.example', 15189, 10866, NULL, 19068, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 6613, 'macsec', 37903, '2026-03-02 08:00:53.982744', 0, 0, '::ffff:10.1.1.172', '::ffff:10.1.0.178', 6470, 29588, 37, 36731, 92624, 55852, 85526, 62864, 9252, 0, 0, 'OTH', 25, 122, NULL, 13732, 98145, 6, 11, 87, 30, 'closed', 'ftp', 'n396.example', 'sni', 'n319.example', 'ssl3', 'n471.example', 'none', 'OPTIONS', 15716, 'n193.example', 115, 'none', 21253, 0, 'n122.example', 15988, 'n427.example', 'n200.example', 26281, 32418, 74584, 19143, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 14058, 'mpls', 12926, '2026-03-02 08:00:59.426017', 0, 0, '::ffff:10.1.1.205', '::ffff:10.1.0.248', 3986, 158, 57, 73180, 15763, 23451, 2242, 91559, 35504, 0, 0, 'S0', 66, 68, NULL, 26125, 28492, 68, 27, NULL, 36, 'active', 'kerberos', 'n361.example', 'dns', 'n177.example', 'ssl3', 'n411.example', 'grease_or_real', 'other', 8062, 'n145.example', 32, 'server', 31714, 0, 'n294.example', 81637, 'n478.example', 'n448.example', 1130, 21314, NULL, 21795, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 22731, 'ayiya', 27798, '2026-03-02 08:00:06.477370', 0, 0, '::ffff:10.1.2.142', '::ffff:10.1.2.179', 11594, 28905, 71, 15381, 83407, 2259, 32575, 80493, 4638, 0, 0, 'REJ', 8, 86, 75113, 46139, 12904, 43, NULL, 95, 107, 'shutdown', 'syslog', 'n168.example', 'none', 'n407.example', '1.1', 'n458.example', 'grease_or_real', 'UNSUBSCRIBE', 26131, 'n323.example', 53, 'none', NULL, 0, 'n40.example', 20843, 'n446.example', 'n492.example', 31552, 23790, 27782, 5120, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 25800, 'ayiya', 74900, '2026-03-02 08:00:07.503513', 0, 0, '::ffff:10.1.0.40', '::ffff:10.1.0.142', 1507, 18335, 57, 86849, 17312, 6035, 56382, 95113, 9849, 0, 0, 'REJ', 69, 30, 40977, 13559, 90885, 8, 67, 97, 115, 'idle', 'sctp', 'n324.example', 'http', 'n411.example', 'ssl2', 'n293.example', 'grease_or_real', 'BMOVE', 1265, 'n182.example', 30, 'none', 25936, 0, 'n492.example', 7718, 'n132.example', 'n73.example', 11860, 28361, 68306, 6786, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 28838, '', 24857, '2026-03-02 08:00:10.813036', 0, 0, '::ffff:10.1.3.37', '::ffff:10.1.2.74', 18097, 22138, 85, 90641, 22512, 38849, 5482, 79703, 82580, 0, 0, 'REJ', 61, 49, 58308, 50409, 3239, NULL, 32, 119, 102, 'active', 'radmin', 'n490.example', 'quic', 'n159.example', '1.3', 'n397.example', 'none', 'MKCOL', 32691, 'n175.example', 12, 'none', NULL, 0, 'n444.example', 52866, 'n409.example', 'n251.example', 28182, 1491, NULL, 10092, '', '', '', [], '', '', '', '', '', '', 0);

;

INSERT INTO health (`ts`, `sensor`, `boot`, `sequence`, `event`, `packets`, `bytes`, `dropped_kernel`, `dropped_ring`, `truncated`, `malformed`, `unknown_link`, `duplicates`, `flows`, `flows_peak`, `evicted`, `reassembly_peak`, `outbox_bytes`, `outbox_lost`, `clock_offset_us`, `lists`, `policy`, `version`, `heads_refused`, `site`) VALUES ('2026-03-02 08:00:01.638037', 'gate', 'n457.example', 35305, 'tick', 29050, 20737, 70577, 3670, 28531, 5506, 14101, 30658, 42358, 42623, 38321, 8069, 36267, 24515, 42429, 'n6.example', 'n422.example', 'n16.example', 19522, ''), ('2026-03-02 08:00:11.932700', 'gate', 'n333.example', 52759, 'tick', 73980, 67585, 21035, 29624, 37247, 60945, 60488, 39932, 13289, 87675, 75959, 54249, 26592, 79579, NULL, 'n13.example', 'n118.example', 'n340.example', 44591, ''), ('2026-03-02 08:00:32.723799', 'gate', 'n372.example', 88679, 'gap', 49478, 56618, 82229, 81390, 24248, 83263, 13431, 95784, 12806, 4583, 10060, 13355, 60158, 86196, 21427, 'n48.example', 'n88.example', 'n52.example', 65721, ''), ('2026-03-02 08:00:39.737105', 'gate', 'n441.example', 39797, 'gap', 55934, 42151, 73350, 10448, 17730, 38259, 94848, 65488, 78732, 31199, 89779, 79108, 34152, 94004, 38314, 'n243.example', 'n382.example', 'n419.example', 78520, ''), ('2026-03-02 08:00:42.112536', 'gate', 'n149.example', 26218, 'gap', 63292, 32634, 74353, 65130, 30024, 12738, 6979, 51741, 40261, 1643, 91214, 38243, 9749, 9282, 35098, 'n292.example', 'n445.example', 'n113.example', 12046, ''), ('2026-03-02 08:00:42.378865', 'gate', 'n273.example', 86168, 'stop', 96206, 9583, 64327, 42292, 13078, 92614, 4338, 77500, 46243, 49759, 77766, 46858, 2690, 53110, 7912, 'n272.example', 'n374.example', 'n40.example', 75933, '');

INSERT INTO hosts_1h (`hour`, `site`, `client`, `client_mac`, `vlan`, `first`, `last`) VALUES ('2026-03-02 08:00:00', '', '::ffff:10.1.0.40', 86849, 25800, '2026-03-02 08:00:07.503513', '2026-03-02 08:00:07.503513'), ('2026-03-02 08:00:00', '', '::ffff:10.1.0.200', 24054, 5126, '2026-03-02 08:00:16.997073', '2026-03-02 08:00:16.997073'), ('2026-03-02 08:00:00', '', '::ffff:10.1.1.172', 36731, 6613, '2026-03-02 08:00:53.982744', '2026-03-02 08:00:53.982744'), ('2026-03-02 08:00:00', '', '::ffff:10.1.1.205', 73180, 14058, '2026-03-02 08:00:59.426017', '2026-03-02 08:00:59.426017'), ('2026-03-02 08:00:00', '', '::ffff:10.1.2.142', 15381, 22731, '2026-03-02 08:00:06.477370', '2026-03-02 08:00:06.477370'), ('2026-03-02 08:00:00', '', '::ffff:10.1.3.37', 90641, 28838, '2026-03-02 08:00:10.813036', '2026-03-02 08:00:10.813036');

INSERT INTO inventory (`mac`, `at`, `present`, `name`, `owner_group`, `site`, `tags`, `file`, `version`) VALUES (660095071900147438, '2023-04-13 00:42:42.761356', 51, '8BZ<^!c,', 'Qd)I)', '! cG+@5', ['I'], '\'o8r+"m2', '\'CEa'), (11679966983760204846, '1977-07-09 10:46:56.725597', 209, 'o', '', ']oxS^om;', ['|'], 'e', 'b_CT'), (12518572047803760736, '2045-01-29 16:35:45.724655', 149, 'nF/lq?i7', 'Z|EEesHYK', 'DFS', [], 'a"`XN', '<!yo!|PR'), (13804710432394964799, '2019-06-22 06:46:18.968973', 177, 'g[+$I.".', 'k,o*', '.2JOfj;', ['5sM&'], '_f|AhU<3`', 'D"v!;'), (14667798375631442454, '2091-05-19 20:20:53.894539', 81, 'S\\cAh>x', '.Z%', '(-', ['UY\'hX.:'], 'W_', '/7t'), (15906495966165141989, '1998-11-05 04:27:54.079849', 183, '', 'tTV2', 'me|F3NJf', [';d','iH/gp^'], '6*@', 'fGLpy#');

INSERT INTO judged (`by`, `until`, `finished`) VALUES ('', '2076-08-11 19:07:02.941', '1989-06-05 19:31:22.480'), ('+L,#', '2034-04-01 23:08:30.548', '2029-07-07 01:54:35.968'), ('3adp31#)S', '2041-03-27 21:03:19.326', '2085-08-27 06:54:06.070'), ('Xp}6, tu^', '1983-10-01 10:56:42.532', '2022-02-23 13:40:03.068'), ('xH1g?a', '2094-06-12 09:02:24.318', '1971-04-24 18:46:05.921'), ('|,B', '2097-05-23 16:50:02.848', '2038-04-02 11:04:40.831');

;

INSERT INTO lists (`since`, `version`, `list`, `title`, `categories`, `allow`, `url`, `licence`, `sha256`, `entries`, `added`, `removed`) VALUES ('1985-05-16 02:49:51.442454', ', tu^HK%G', 'o', '', ['','^fR1KM|'], false, 'iH/gp^', '6*@', 'fGLpy#', 125284746389081725, 2878041007352053503, 0), ('1991-09-22 12:37:30.964799', '8BZ<^!c,', 'Qd)I)', '! cG+@5', [], false, 'a"`XN', '<!yo!|PR', ' e', 14367559554318952929, 1671463039498178728, 0), ('2031-10-27 22:18:56.204846', 'nF/lq?i7', 'Z|EEesHYK', 'DFS', ['} 9T'], false, '_f|AhU<3`', 'D"v!;', '\'ktcIU', 15732408360800026939, 12095622405421369209, 0), ('2040-09-24 03:11:17.141989', 'g[+$I.".', 'k,o*', '.2JOfj;', ['UY\'hX.:','I'], true, 'e', 'b_CT', ']EzXTylU)', 13254160491324502160, 11073319072467253404, 0), ('2063-12-17 00:06:52.147438', 'Zj^k3ad', '', 'tTV2', [], true, 'W_', '/7t', 'sPa`*M"B', 10306286478867872092, 9805253543187203685, 0), ('2066-04-01 11:34:19.760736', 'S\\cAh>x', '.Z%', '(-', [], true, '\'o8r+"m2', '\'CEa', 'U=.?4Q', 7955565578595648311, 2968915651148264010, 0);

INSERT INTO outcomes (`step`, `start`, `site`, `group`, `categories`, `clause`, `action`, `verdict`, `mechanism`, `initiated`, `attempts`, `widgets`, `unmeasured`, `first`, `last`, `hosts`, `hosts6`, `as_of`, `oldest`, `parts`) VALUES (153690360, '2085-05-15 10:25:15', '8BZ<^!c,', 'Qd)I)', ['.2JOfj;',']oxS^om;'], 'I', '\'o8r+"m2', '\'CEa', 'U=.?4Q', '2!c/m', 10285103589479806571, 1316530170974544219, 455108650858933651, '2039-06-10 00:25:01.254209', '1992-03-15 14:44:29.353087', [], ['9256:f2b1:2a7e:5674:18e1:3bb8:ffbb:53ec','ffca:1b2:deef:fdef:8d48:4ddf:ff0e:ef88'], '2087-11-23 03:32:10.209478', '2085-07-18 09:09:59.694103', 2125818059), (1989680878, '1980-11-16 09:22:45', '', '.Z%', [], 'UY\'hX.:', 'W_', '/7t', 'sPa`*M"B', ' rfqy;6d~', 2927492620761150171, 10817947396489734600, 126245665934857033, '2089-10-21 05:51:51.824861', '1982-02-13 00:22:01.614047', [2312619689], ['30bd:6b9b:2124:f463:9b23:49de:892c:65b3','7231:ce82:843b:a461:691b:1c68:d49:462'], '2066-09-16 13:37:22.338520', '2061-05-05 00:55:56.792512', 2362628438), (2222604384, '1970-04-30 22:45:32', 'nF/lq?i7', 'Z|EEesHYK', ['me|F3NJf'], '5sM&', 'a"`XN', '<!yo!|PR', ' e', '|"?YJb30l', 5890641332707066969, 10501787388295052360, 14738118981543422742, '2067-03-17 16:18:43.145080', '2086-04-11 09:20:03.168473', [4263285234,2972652478], [], '2069-06-21 02:32:02.182736', '2063-08-24 06:47:21.720753', 4076102437), (2914707187, '2028-03-17 06:10:55', 'g[+$I.".', 'k,o*', [''], '|', '_f|AhU<3`', 'D"v!;', '\'ktcIU', '%sPZK', 10576539308288218286, 8529383958752768556, 14657256976776516487, '1984-08-23 10:08:41.951554', '2060-05-16 11:58:55.317645', [617168077], [], '2031-05-13 00:05:46.791353', '1989-11-12 12:56:47.612401', 1167653005), (3364901398, '2028-06-30 21:35:59', '|,B', 'o', ['+@'], '^fR1KM|', ';d', 'e', 'b_CT', ']EzXTylU)', 16097706380456196632, 7643187384629483112, 4389392694890984166, '2010-08-04 01:21:47.677773', '2101-07-14 03:04:04.983145', [354710720], [], '2096-10-24 23:17:46.004489', '2067-10-01 22:07:13.423035', 107071955), (3415112936, '2063-03-17 07:39:26', '3adp31#)S', '', ['DFS'], '} 9T', 'iH/gp^', '6*@', 'fGLpy#', 'dT;Uh', 577677165740059183, 6406222375479192702, 10672387264159074580, '2003-03-26 22:45:49.288069', '2024-02-12 07:32:44.581664', [], ['eba0:8e2a:c9d8:dedf:49e:957f:52df:8257'], '2073-03-08 06:25:47.764550', '2038-02-09 20:04:15.430618', 4041961390);

INSERT INTO policies (`version`, `loaded`, `valid_from`, `file`, `loaded_by`, `content`, `changes`) VALUES ('', '1989-07-27 12:12:01.750941', '2088-11-01 03:52:07.690480', 'tTV2', 'me|F3NJf', '5sM&', ['h']), ('+L,#', '2096-02-04 04:14:21.806548', '2096-10-07 23:57:16.251968', '.Z%', '(-', '', []), ('3adp31#)S', '2040-02-29 19:23:08.439326', '2030-07-18 14:26:53.070070', '', ']oxS^om;', 'I', ['d']), ('Xp}6, tu^', '2098-08-18 05:25:48.522532', '2055-04-02 16:12:30.899068', 'Z|EEesHYK', 'DFS', '} 9T', []), ('xH1g?a', '2016-07-14 15:43:39.680318', '2063-05-14 17:22:11.821921', 'Qd)I)', '! cG+@5', '^fR1KM|', [')','\'v"U\'o']), ('|,B', '2103-08-24 07:18:03.578848', '1980-12-15 18:00:02.760831', 'k,o*', '.2JOfj;', 'UY\'hX.:', ['j4$1a"`']);

INSERT INTO schema_migrations (`name`, `sha256`, `applied`) VALUES ('0001_records.sql', '4c2073bf9e5a7ba053bba2eb32a4f24c2a67a5247b069251c64e7268e3d385bb', '2026-11-23 11:40:29'), ('0002_batches.sql', 'a5c4132e09c5663eb099194db9ccf50ad49c74bf207e74d0ff308bc99e36f4e2', '2026-11-23 11:40:29'), ('0003_traffic.sql', '4600f21a4e759b2806914377c4261de2c9dac6c54b84074ed6b6ad1fef50adb9', '2026-11-23 11:40:29'), ('0004_community_id.sql', 'c6ac8ab34622d8ff296c41276f2f9a0e8f656108dc800e9d527ca22b3a49d099', '2026-11-23 11:40:29'), ('0005_compact_parts.sql', 'f641106f6fcf71727bc0426457ec5eeec427c14dcf310898cab99c264954ee34', '2026-11-23 11:40:30'), ('0006_flow_codecs.sql', '9a424b9ea200f1f8cad95349f96f03616fac7e822b398bd2c39e8ec6c18ec7f4', '2026-11-23 11:40:30'), ('0010_attempts.sql', 'e42ccaa44c0991e713da44a78e4581441364fa80e7a69bbc82cac697a917ed53', '2026-11-23 11:40:30'), ('0011_findings.sql', '0aa6fcdddcab0cd79d362b653cd30f93f0c27d7005295bf9f0c9657c085f9b03', '2026-11-23 11:40:30'), ('0012_access_log.sql', '1c2194d7d008e927a7dbb16d77fa0b63bbba9c2b5617827d1bb468a44a03ad10', '2026-11-23 11:40:30'), ('0013_schema_2.sql', '001a90744d38968d63e81264782a004d7021a22209f898b5d35e9b1d3bcc0f82', '2026-11-23 11:40:30'), ('0014_lists.sql', 'b919e067683094846784d047d5819e8aee3210157f04b6dd810764b414c477de', '2026-11-23 11:40:30'), ('0015_policies.sql', '7f98eafc819630e9dc553c25e47c96de1f61c196b137b1b9e79f6b1af94fd265', '2026-11-23 11:40:30'), ('0016_attempt_paths.sql', 'd19b37db166f39978e466036d844a018a17792243bfa43d995d074f4fb3bdf2f', '2026-11-23 11:40:30'), ('0018_schema_3.sql', 'a434cdfa0ca477bad3fcbec51d869bfa68d5aa1f3519f7c33b4b825feba7cdd3', '2026-11-23 11:40:30'), ('0019_bindings.sql', '1a2a2fbfa70e0d4ecc6bbfee1b19b8f82c7e6d83985b97ac4ae27507dadb7443', '2026-11-23 11:40:30'), ('0020_bandwidth.sql', '2b3e318f2ba561eb1e93a53e1e4b0f856fa38b1ea792d2ea1a259f4bfbe13f0c', '2026-11-23 11:40:30'), ('0022_finding_parts.sql', '5706263da767fb3a6d07973ba5cfea4ba2261eada2e0ddd4649083e912a98d88', '2026-11-23 11:40:30'), ('0024_failed.sql', '4f0814ff8e111cae63afe37a014366708d11ec548a660b1618491f696881ba61', '2026-11-23 11:40:31'), ('0025_sight.sql', '64ccb8c84b005e667d9453c6ef406208535026d02e41975691a5b79d3702f246', '2026-11-23 11:40:31'), ('0026_parts.sql', 'd655a1ecdf45aa450c22cc0f64f4f3246fa1b54295b1614dc37746cb36dc8f85', '2026-11-23 11:40:31'), ('0030_narrow_sums.sql', '2663f7e6706820d08d88c21b39e7074c3276fd52afc23f9e3fdb2bbd2191edfd', '2026-11-23 11:40:31'), ('0031_sums_of_sums.sql', '5ff59afb25708150f8671ec0965c7ed0d5c91cd09cb392defc5b3ddd1b238aa1', '2026-11-23 11:40:31'), ('0032_flow_distances.sql', '427e2f6d1887f9b1483bf8806b1da3b9e34214153f806f4330b0f285a840bee4', '2026-11-23 11:40:32'), ('0033_flow_aliases.sql', '4cc170d9c41386e94515e8422a977ef5911368511ee2c18b3068448708787bfc', '2026-11-23 11:40:34'), ('0035_projections.sql', '8912a6f9efe895104a9d4334682dcd86f2449139d1a731ff2e47a9d37df15b5e', '2026-11-23 11:40:34'), ('0036_projections_of_hosts.sql', 'fb33b89495893bd4034414e75cb58f0aae06d8369a64e674e890af691fe2be25', '2026-11-23 11:40:34'), ('0037_outcomes.sql', '6690f6b597a1a9989cd3b4c178675b7f0d0d04aae999f4c0f35db64c119f8c2b', '2026-11-23 11:40:34'), ('0038_failed_stored.sql', '639af8071c701babd8c5b001de7e6e3c3d7972d3138e474ce90d57f0c4026fa4', '2026-11-23 11:40:34');

INSERT INTO sight_1m (`minute`, `site`, `group`, `sight`, `bytes`, `flows`) VALUES ('2026-03-02 08:00:00', '', '', 'dns', 124051, 2), ('2026-03-02 08:00:00', '', '', 'named', 248126, 3), ('2026-03-02 08:00:00', '', '', 'nameless', 34834, 1);

INSERT INTO sightings (`ts`, `vlan`, `source`, `mac`, `ip`, `name`, `value`, `attributes`, `sensor`, `site`) VALUES ('2026-03-02 08:00:01.853064', 4496, 'stp', 57347, '::ffff:10.1.0.233', 'n334.example', 'n212.example', {'lease':'4'}, '', ''), ('2026-03-02 08:00:11.685031', 7484, 'ndp', 1907, '::ffff:10.1.1.229', 'n335.example', 'n244.example', {'lease':'7'}, '', ''), ('2026-03-02 08:00:15.085185', 18224, 'kerberos', 66698, '::ffff:10.1.0.77', 'n211.example', 'n290.example', {'lease':'2'}, '', ''), ('2026-03-02 08:00:20.893202', 9227, 'arp', 28906, '::ffff:10.1.2.103', 'n46.example', 'n411.example', {'lease':'4'}, '', ''), ('2026-03-02 08:00:27.280900', 14471, 'dhcp_ack', 68491, '::ffff:10.1.0.157', 'n58.example', 'n365.example', {'lease':'5'}, '', ''), ('2026-03-02 08:00:51.436257', 14491, 'probe', 52593, '::ffff:10.1.3.211', 'n107.example', 'n36.example', {'lease':'0'}, '', '');

INSERT INTO sites_1h (`hour`, `site`, `group`, `service`, `category`, `application`, `name_source`, `bytes_up`, `bytes_down`, `packets_up`, `packets_down`, `flows`) VALUES ('2026-03-02 08:00:00', '', '', '', '', 'ftp', 'sni', 55852, 85526, 62864, 9252, 1), ('2026-03-02 08:00:00', '', '', '', '', 'kerberos', 'dns', 23451, 2242, 91559, 35504, 1), ('2026-03-02 08:00:00', '', '', '', '', 'radmin', 'quic', 38849, 5482, 79703, 82580, 1), ('2026-03-02 08:00:00', '', '', '', '', 'sctp', 'http', 6035, 56382, 95113, 9849, 1), ('2026-03-02 08:00:00', '', '', '', '', 'syslog', 'none', 2259, 32575, 80493, 4638, 1), ('2026-03-02 08:00:00', '', '', '', '', 'teamviewer', 'dns', 62795, 35563, 23063, 78087, 1);

INSERT INTO sites_5m (`slot`, `site`, `group`, `service`, `category`, `application`, `name_source`, `bytes_up`, `bytes_down`, `packets_up`, `packets_down`, `flows`) VALUES ('2026-03-02 08:00:00', '', '', '', '', 'ftp', 'sni', 55852, 85526, 62864, 9252, 1), ('2026-03-02 08:00:00', '', '', '', '', 'kerberos', 'dns', 23451, 2242, 91559, 35504, 1), ('2026-03-02 08:00:00', '', '', '', '', 'radmin', 'quic', 38849, 5482, 79703, 82580, 1), ('2026-03-02 08:00:00', '', '', '', '', 'sctp', 'http', 6035, 56382, 95113, 9849, 1), ('2026-03-02 08:00:00', '', '', '', '', 'syslog', 'none', 2259, 32575, 80493, 4638, 1), ('2026-03-02 08:00:00', '', '', '', '', 'teamviewer', 'dns', 62795, 35563, 23063, 78087, 1);

INSERT INTO traffic_1h (`hour`, `site`, `group`, `client`, `service`, `category`, `application`, `name_source`, `action`, `bytes_up`, `bytes_down`, `packets_up`, `packets_down`, `flows`) VALUES ('2026-03-02 08:00:00', '', '', '::ffff:10.1.0.40', '', '', 'sctp', 'http', '', 6035, 56382, 95113, 9849, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.0.200', '', '', 'teamviewer', 'dns', '', 62795, 35563, 23063, 78087, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.1.172', '', '', 'ftp', 'sni', '', 55852, 85526, 62864, 9252, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.1.205', '', '', 'kerberos', 'dns', '', 23451, 2242, 91559, 35504, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.2.142', '', '', 'syslog', 'none', '', 2259, 32575, 80493, 4638, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.3.37', '', '', 'radmin', 'quic', '', 38849, 5482, 79703, 82580, 1);

INSERT INTO traffic_1m (`minute`, `site`, `group`, `client`, `service`, `category`, `application`, `name_source`, `action`, `bytes_up`, `bytes_down`, `packets_up`, `packets_down`, `flows`) VALUES ('2026-03-02 08:00:00', '', '', '::ffff:10.1.0.40', '', '', 'sctp', 'http', '', 6035, 56382, 95113, 9849, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.0.200', '', '', 'teamviewer', 'dns', '', 62795, 35563, 23063, 78087, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.1.172', '', '', 'ftp', 'sni', '', 55852, 85526, 62864, 9252, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.1.205', '', '', 'kerberos', 'dns', '', 23451, 2242, 91559, 35504, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.2.142', '', '', 'syslog', 'none', '', 2259, 32575, 80493, 4638, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.3.37', '', '', 'radmin', 'quic', '', 38849, 5482, 79703, 82580, 1);

INSERT INTO usage_1h (`hour`, `site`, `client`, `bytes_up`, `bytes_down`, `packets_up`, `packets_down`, `flows`, `by_none`, `by_sni`, `by_quic`, `by_http`, `by_dns`) VALUES ('2026-03-02 08:00:00', '', '::ffff:10.1.0.40', 6035, 56382, 95113, 9849, 1, 0, 0, 0, 62417, 0), ('2026-03-02 08:00:00', '', '::ffff:10.1.0.200', 62795, 35563, 23063, 78087, 1, 0, 0, 0, 0, 98358), ('2026-03-02 08:00:00', '', '::ffff:10.1.1.172', 55852, 85526, 62864, 9252, 1, 0, 141378, 0, 0, 0), ('2026-03-02 08:00:00', '', '::ffff:10.1.1.205', 23451, 2242, 91559, 35504, 1, 0, 0, 0, 0, 25693), ('2026-03-02 08:00:00', '', '::ffff:10.1.2.142', 2259, 32575, 80493, 4638, 1, 34834, 0, 0, 0, 0), ('2026-03-02 08:00:00', '', '::ffff:10.1.3.37', 38849, 5482, 79703, 82580, 1, 0, 0, 44331, 0, 0);

CREATE MATERIALIZED VIEW failed_1h_from_rows TO failed_1h
(
    `hour` DateTime('UTC'),
    `site` LowCardinality(String),
    `client` IPv6,
    `server` IPv6,
    `port` UInt16,
    `protocol` UInt8,
    `first` DateTime64(6, 'UTC'),
    `last` DateTime64(6, 'UTC')
)
AS SELECT
    toStartOfHour(start) AS hour,
    site,
    client,
    server,
    port,
    protocol,
    min(start) AS first,
    max(start) AS last
FROM flows_to_sum
WHERE in_vain
GROUP BY
    hour,
    site,
    client,
    server,
    port,
    protocol;

CREATE MATERIALIZED VIEW hosts_1h_from_rows TO hosts_1h
(
    `hour` DateTime('UTC'),
    `site` LowCardinality(String),
    `client` IPv6,
    `client_mac` UInt64,
    `vlan` UInt16,
    `first` DateTime64(6, 'UTC'),
    `last` DateTime64(6, 'UTC')
)
AS SELECT
    toStartOfHour(start) AS hour,
    site,
    client,
    client_mac,
    vlan,
    min(start) AS first,
    max(end) AS last
FROM flows_to_sum
WHERE client_mac != 0
GROUP BY
    hour,
    site,
    client,
    client_mac,
    vlan;

CREATE MATERIALIZED VIEW link_5m_from_rows TO link_5m
(
    `site` LowCardinality(String),
    `slot` DateTime('UTC'),
    `received` UInt64,
    `sent` UInt64
)
AS SELECT
    site,
    toStartOfFiveMinutes(start) AS slot,
    sum(flows_to_sum.received) AS received,
    sum(flows_to_sum.sent) AS sent
FROM flows_to_sum
WHERE crosses
GROUP BY
    site,
    slot;

CREATE MATERIALIZED VIEW rows_from_flows TO flows_to_sum
(
    `start` DateTime64(6, 'UTC'),
    `end` DateTime64(6, 'UTC'),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `client` IPv6,
    `client_mac` UInt64,
    `vlan` UInt16,
    `service` LowCardinality(String),
    `category` String,
    `application` LowCardinality(String),
    `name_source` LowCardinality(String),
    `action` LowCardinality(String),
    `sight` LowCardinality(String),
    `bytes_up` UInt64,
    `bytes_down` UInt64,
    `packets_up` UInt64,
    `packets_down` UInt64,
    `begun` UInt8,
    `crosses` UInt8,
    `received` UInt64,
    `sent` UInt64,
    `in_vain` Bool,
    `server` IPv6,
    `port` UInt16,
    `protocol` UInt8
)
AS SELECT
    start,
    end,
    site,
    group,
    client,
    client_mac,
    vlan,
    service,
    categories[1] AS category,
    application,
    name_source,
    action,
    sight,
    bytes_up,
    bytes_down,
    toUInt64(flows.packets_up) AS packets_up,
    toUInt64(flows.packets_down) AS packets_down,
    since_first = 0 AS begun,
    crosses,
    if(client_inside OR (NOT server_inside), bytes_down, bytes_up) AS received,
    if(client_inside OR (NOT server_inside), bytes_up, bytes_down) AS sent,
    failed AND (server_name = '') AND ((protocol != 17) OR (application NOT IN ('dns', 'quic', 'stun', 'rtp', 'bittorrent', 'gnutella', 'ethereum', 'ntp', 'mdns', 'ssdp', 'llmnr', 'nbns', 'dhcp', 'dhcpv6'))) AND (NOT ((server >= toIPv6('::ffff:224.0.0.0')) AND (server <= toIPv6('::ffff:255.255.255.255')))) AND (server < toIPv6('ff00::')) AS in_vain,
    server,
    if((protocol IN (1, 58)), 0, server_port) AS port,
    protocol
FROM flows;

CREATE MATERIALIZED VIEW sight_1m_from_rows TO sight_1m
(
    `minute` DateTime('UTC'),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `sight` LowCardinality(String),
    `bytes` UInt64,
    `flows` UInt64
)
AS SELECT
    toStartOfMinute(start) AS minute,
    site,
    group,
    sight,
    sum(bytes_up + bytes_down) AS bytes,
    sum(begun) AS flows
FROM flows_to_sum
GROUP BY
    minute,
    site,
    group,
    sight;

CREATE MATERIALIZED VIEW sites_1h_from_slots TO sites_1h
(
    `hour` DateTime('UTC'),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `service` LowCardinality(String),
    `category` LowCardinality(String),
    `application` LowCardinality(String),
    `name_source` LowCardinality(String),
    `bytes_up` UInt64,
    `bytes_down` UInt64,
    `packets_up` UInt64,
    `packets_down` UInt64,
    `flows` UInt64
)
AS SELECT
    toStartOfHour(slot) AS hour,
    site,
    group,
    service,
    category,
    application,
    name_source,
    sum(sites_5m.bytes_up) AS bytes_up,
    sum(sites_5m.bytes_down) AS bytes_down,
    sum(sites_5m.packets_up) AS packets_up,
    sum(sites_5m.packets_down) AS packets_down,
    sum(sites_5m.flows) AS flows
FROM sites_5m
GROUP BY
    hour,
    site,
    group,
    service,
    category,
    application,
    name_source;

CREATE MATERIALIZED VIEW sites_5m_from_minutes TO sites_5m
(
    `slot` DateTime('UTC'),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `service` LowCardinality(String),
    `category` LowCardinality(String),
    `application` LowCardinality(String),
    `name_source` LowCardinality(String),
    `bytes_up` UInt64,
    `bytes_down` UInt64,
    `packets_up` UInt64,
    `packets_down` UInt64,
    `flows` UInt64
)
AS SELECT
    toStartOfFiveMinutes(minute) AS slot,
    site,
    group,
    service,
    category,
    application,
    name_source,
    sum(traffic_1m.bytes_up) AS bytes_up,
    sum(traffic_1m.bytes_down) AS bytes_down,
    sum(traffic_1m.packets_up) AS packets_up,
    sum(traffic_1m.packets_down) AS packets_down,
    sum(traffic_1m.flows) AS flows
FROM traffic_1m
GROUP BY
    slot,
    site,
    group,
    service,
    category,
    application,
    name_source;

CREATE MATERIALIZED VIEW traffic_1h_from_minutes TO traffic_1h
(
    `hour` DateTime('UTC'),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `client` IPv6,
    `service` LowCardinality(String),
    `category` LowCardinality(String),
    `application` LowCardinality(String),
    `name_source` LowCardinality(String),
    `action` LowCardinality(String),
    `bytes_up` UInt64,
    `bytes_down` UInt64,
    `packets_up` UInt64,
    `packets_down` UInt64,
    `flows` UInt64
)
AS SELECT
    toStartOfHour(minute) AS hour,
    site,
    group,
    client,
    service,
    category,
    application,
    name_source,
    action,
    sum(traffic_1m.bytes_up) AS bytes_up,
    sum(traffic_1m.bytes_down) AS bytes_down,
    sum(traffic_1m.packets_up) AS packets_up,
    sum(traffic_1m.packets_down) AS packets_down,
    sum(traffic_1m.flows) AS flows
FROM traffic_1m
GROUP BY
    hour,
    site,
    group,
    client,
    service,
    category,
    application,
    name_source,
    action;

CREATE MATERIALIZED VIEW traffic_1m_from_rows TO traffic_1m
(
    `minute` DateTime('UTC'),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `client` IPv6,
    `service` LowCardinality(String),
    `category` LowCardinality(String),
    `application` LowCardinality(String),
    `name_source` LowCardinality(String),
    `action` LowCardinality(String),
    `bytes_up` UInt64,
    `bytes_down` UInt64,
    `packets_up` UInt64,
    `packets_down` UInt64,
    `flows` UInt64
)
AS SELECT
    toStartOfMinute(start) AS minute,
    site,
    group,
    client,
    service,
    category,
    application,
    name_source,
    action,
    sum(flows_to_sum.bytes_up) AS bytes_up,
    sum(flows_to_sum.bytes_down) AS bytes_down,
    sum(flows_to_sum.packets_up) AS packets_up,
    sum(flows_to_sum.packets_down) AS packets_down,
    sum(begun) AS flows
FROM flows_to_sum
GROUP BY
    minute,
    site,
    group,
    client,
    service,
    category,
    application,
    name_source,
    action;

CREATE MATERIALIZED VIEW usage_1h_from_hours TO usage_1h
(
    `hour` DateTime64(0, 'UTC'),
    `site` LowCardinality(String),
    `client` IPv6,
    `bytes_up` UInt64,
    `bytes_down` UInt64,
    `packets_up` UInt64,
    `packets_down` UInt64,
    `flows` UInt64,
    `by_none` UInt64,
    `by_sni` UInt64,
    `by_quic` UInt64,
    `by_http` UInt64,
    `by_dns` UInt64
)
AS SELECT
    hour,
    site,
    client,
    sum(traffic_1h.bytes_up) AS bytes_up,
    sum(traffic_1h.bytes_down) AS bytes_down,
    sum(traffic_1h.packets_up) AS packets_up,
    sum(traffic_1h.packets_down) AS packets_down,
    sum(traffic_1h.flows) AS flows,
    sumIf(traffic_1h.bytes_up + traffic_1h.bytes_down, name_source = 'none') AS by_none,
    sumIf(traffic_1h.bytes_up + traffic_1h.bytes_down, name_source = 'sni') AS by_sni,
    sumIf(traffic_1h.bytes_up + traffic_1h.bytes_down, name_source = 'quic') AS by_quic,
    sumIf(traffic_1h.bytes_up + traffic_1h.bytes_down, name_source = 'http') AS by_http,
    sumIf(traffic_1h.bytes_up + traffic_1h.bytes_down, name_source = 'dns') AS by_dns
FROM traffic_1h
GROUP BY
    hour,
    site,
    client;
