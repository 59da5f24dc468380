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
    `bytes_down` UInt64 COMMENT 'bytes towards the client in the first minutes of its flows' CODEC(T64, ZSTD(1)),
    `dns` UInt32 COMMENT 'DNS questions' CODEC(T64, ZSTD(1)),
    `tcp` UInt32 COMMENT 'TCP flows' CODEC(T64, ZSTD(1)),
    `quic` UInt32 COMMENT 'QUIC flows' CODEC(T64, ZSTD(1)),
    `resolved` Bool COMMENT 'an answer held an address that is no sinkhole' CODEC(ZSTD(1)),
    `embedded` Bool COMMENT 'few bytes and no question of its own: a widget, not a visit' CODEC(ZSTD(1)),
    `loss` Float64 COMMENT 'share that the mirror lost meanwhile, 0 to 1' CODEC(ZSTD(1)),
    `samples` Array(String) COMMENT 'up to ten records as text' CODEC(ZSTD(1)),
    `content` UInt64 COMMENT 'hash of the columns above, so that an unchanged attempt is not written again' CODEC(ZSTD(1)),
    `removed` UInt8 DEFAULT 0 CODEC(ZSTD(1)),
    `updated` DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(updated, removed)
PARTITION BY toYYYYMM(window_start)
ORDER BY (toStartOfHour(window_start), site, client, name, window_start)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE batches
(
    `sensor` LowCardinality(String),
    `boot` String CODEC(ZSTD(1)),
    `sequence` UInt64 CODEC(Delta(8), ZSTD(1)),
    `records` LowCardinality(String),
    `rows` UInt64 CODEC(T64, ZSTD(1)),
    `first` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `last` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `sha256` String CODEC(ZSTD(1)),
    `inserted` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(inserted)
ORDER BY (sensor, boot, sequence)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

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
    `loss` Float64 COMMENT 'share that the mirror lost in the strongest window, 0 to 1' CODEC(ZSTD(1)),
    `inconclusive` Bool COMMENT 'rests on absence while the mirror lost more than the bound' CODEC(ZSTD(1)),
    `strength` Float64 COMMENT 'how far past its threshold the strongest window was' CODEC(ZSTD(1)),
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
    `start` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `end` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `first` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
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
    `payload_up` UInt64 CODEC(T64, ZSTD(1)),
    `payload_down` UInt64 CODEC(T64, ZSTD(1)),
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
    `acked_down` UInt64 CODEC(T64, ZSTD(1)),
    `syn_signature` String CODEC(ZSTD(1)),
    `lost` UInt64 CODEC(T64, ZSTD(1)),
    `certificate` String CODEC(ZSTD(1)),
    `issuer` String CODEC(ZSTD(1)),
    `logins` UInt16 CODEC(T64, ZSTD(1)),
    `logins_failed` UInt16 CODEC(T64, ZSTD(1)),
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
    `community_id` String ALIAS concat('1:', base64Encode(SHA1(arrayMap((a, b, p, q, paired) -> concat(char(0, 0), if(paired AND ((a, p) > (b, q)), concat(b, a), concat(a, b)), char(protocol, 0), multiIf((protocol NOT IN (1, 6, 17, 58, 132)), '', paired AND ((a, p) > (b, q)), concat(q, p), concat(p, q))), [substring(reinterpret(client, 'FixedString(16)'), if(isIPAddressInRange(toString(client), '::ffff:0:0/96'), 13, 1))], [substring(reinterpret(server, 'FixedString(16)'), if(isIPAddressInRange(toString(server), '::ffff:0:0/96'), 13, 1))], [char(bitShiftRight(client_port, 8), client_port % 256)], [multiIf(protocol = 1, char(0, transform(client_port, [8, 0, 13, 14, 15, 16, 17, 18, 9, 10], [0, 8, 14, 13, 16, 15, 18, 17, 10, 9], server_port)), protocol = 58, char(0, transform(client_port, [128, 129, 133, 134, 135, 136, 130, 131, 139, 140, 144, 145], [129, 128, 134, 133, 136, 135, 131, 130, 140, 139, 145, 144], server_port)), char(bitShiftRight(server_port, 8), server_port % 256))], [multiIf(protocol = 1, (client_port IN (8, 0, 13, 14, 15, 16, 17, 18, 9, 10)), protocol = 58, (client_port IN (128, 129, 133, 134, 135, 136, 130, 131, 139, 140, 144, 145)), true)])[1])))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(start)
ORDER BY (toStartOfHour(start), site, client, start)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

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
    `arrived` DateTime64(0, 'UTC') MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (sensor, ts)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

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

CREATE TABLE rounds
(
    `sensor` LowCardinality(String),
    `boot` String,
    `sequence` UInt64,
    `finished` DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (sensor, boot)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE schema_migrations
(
    `name` String,
    `sha256` String,
    `applied` DateTime('UTC')
)
ENGINE = MergeTree
ORDER BY name
SETTINGS index_granularity = 8192;

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
    `arrived` SimpleAggregateFunction(max, DateTime64(0, 'UTC')) MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1))
)
ENGINE = SummingMergeTree((bytes_up, bytes_down, packets_up, packets_down, flows, arrived))
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, site, client, service, category, group, application, name_source, action)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

INSERT INTO access_log (`at`, `token_id`, `token_name`, `roles`, `path`, `subject`, `case_reference`, `query`, `rows`) VALUES ('1985-05-16 02:49:51.442454', ', tu^HK%G', 'o', ['+@'], '^fR1KM|', ';d', 'e', 'b_CT', 919111381), ('1991-09-22 12:37:30.964799', '8BZ<^!c,', 'Qd)I)', ['.2JOfj;',']oxS^om;'], 'I', '\'o8r+"m2', '\'CEa', 'U=.?4Q', 2572153621), ('2031-10-27 22:18:56.204846', 'nF/lq?i7', 'Z|EEesHYK', ['me|F3NJf'], '5sM&', 'a"`XN', '<!yo!|PR', ' e', 4067200479), ('2040-09-24 03:11:17.141989', 'g[+$I.".', 'k,o*', [''], '|', '_f|AhU<3`', 'D"v!;', '\'ktcIU', 2405158318), ('2063-12-17 00:06:52.147438', 'Zj^k3ad', '', ['DFS'], '} 9T', 'iH/gp^', '6*@', 'fGLpy#', 2708169558), ('2066-04-01 11:34:19.760736', 'S\\cAh>x', '.Z%', [], 'UY\'hX.:', 'W_', '/7t', 'sPa`*M"B', 1672848562);

INSERT INTO attempts (`site`, `client`, `group`, `name`, `window_start`, `first`, `last`, `categories`, `service`, `action`, `clause`, `policy_version`, `verdict`, `mechanism`, `confidence`, `corroborators`, `evidence`, `bytes_down`, `dns`, `tcp`, `quic`, `resolved`, `embedded`, `loss`, `samples`, `content`, `removed`, `updated`) VALUES ('', 'f6d6:13c5:718e:f22:f030:50be:361a:3c75', 'tTV2', 'me|F3NJf', '2100-03-21 16:37:41.015792', '2010-01-27 12:30:41.926064', '2055-05-18 20:15:56.354726', [], 'sPa`*M"B', ' rfqy;6d~', 'WjGV@?%G`', ':qW', 'u', '', 36, ['Dz','B@c'], ['m9'], 2844463425408921453, 3502529822, 2381842378, 62764912, false, true, -3.550164963014871e62, ['bV!<*;uf'], 9839309337669315220, 0, '2069-11-14 12:43:55.746553'), ('+L,#', 'd44f:2413:882b:418:3e42:ad5d:da9e:a84b', '.Z%', '(-', '2095-01-05 06:30:12.856340', '2086-12-28 04:33:09.340367', '2020-11-17 23:30:33.491789', ['j4$1a"`'], '\'CEa', 'U=.?4Q', '2!c/m', '', '&', '!*9Va@', 48, ['wbL|MLO'], ['Rw?^`X('], 7295191142722132275, 1168070872, 511344926, 538180800, false, true, -1.7727078659813437e-42, [], 12405237165636946621, 0, '2023-03-13 00:55:10.541039'), ('3adp31#)S', '7c6f:cf26:8f07:d726:7f08:9f79:b5f2:d28a', '', ']oxS^om;', '2018-06-28 20:07:41.295814', '1990-03-29 07:35:07.700497', '2074-03-22 23:12:34.109865', ['6*@','/7t'], 'fGLpy#', 'dT;Uh', '{', '>)', 'R?dEccs', '[', 33, ['1^}','j'], ['=N.B;F{g'], 18101752911373053092, 4017568453, 2442361688, 2171589595, true, false, 9.117458743968215e-111, ['|Ao\'*^3'], 3786426051090092076, 0, '2044-06-20 10:31:04.532474'), ('Xp}6, tu^', '1ed3:1669:8328:28cf:9ddb:c555:e7c4:3f3f', 'Z|EEesHYK', 'DFS', '1989-07-28 18:30:49.532195', '1999-10-28 11:20:04.751617', '2044-12-12 17:38:55.888932', ['d'], 'D"v!;', '\'ktcIU', '%sPZK', '', 'JX&b', '}', 107, ['','W-aO+XpW'], ['wmD,S(-MV'], 16869877094754400729, 3223075084, 978497466, 349067022, true, false, 2.7097641281373183e-132, [], 6218255469205385434, 0, '2053-04-02 22:03:49.980390'), ('xH1g?a', '24a8:b303:db5:3522:e015:9404:3092:cbf4', 'Qd)I)', '! cG+@5', '2033-09-16 19:41:45.987907', '1978-11-16 16:28:45.165707', '1981-03-02 15:58:31.203501', [], '<!yo!|PR', ' e', '|"?YJb30l', '},pVb(KKz', '', 'K\'iSV~\'', 189, [], [], 16588142862176327997, 1677312330, 2289187515, 2356341390, true, true, 6.3175412811508055e150, ['^'], 8304039969331639013, 0, '2054-05-20 02:27:33.970705'), ('|,B', '40a7:8246:ed86:7d1:61c1:a6a1:b91e:3f0b', 'k,o*', '.2JOfj;', '2021-05-22 04:18:54.331081', '2094-02-14 07:08:51.910411', '2092-08-21 13:29:46.294722', ['h','}Iiie'], 'b_CT', ']EzXTylU)', 'G>', 'H*r', '}6=]', 'Djlmx\\`q2', 155, ['sU-3@'], [')d','N$JsrA'], 12325556510977179841, 3555048888, 1223437246, 133885316, true, false, -7.279461492728554e-281, [], 4445382775269697842, 0, '2051-11-07 04:35:15.812107');

INSERT INTO batches (`sensor`, `boot`, `sequence`, `records`, `rows`, `first`, `last`, `sha256`, `inserted`) VALUES ('', '.Z%', 11136678558223677972, 'DFS', 5356135160171112246, '1989-07-28 18:30:49.532195', '1999-10-28 11:20:04.751617', 'W_', '2038-10-09 17:08:35.721'), ('+L,#', '8BZ<^!c,', 4505596330375708575, 'D0gFk,o*', 6618479534453890887, '1991-06-03 18:20:10.795958', '2021-05-22 04:18:54.331081', 'I', '2030-12-17 23:08:55.348'), ('3adp31#)S', '', 7226418707458334091, '! cG+@5', 9936330169114207374, '2033-09-16 19:41:45.987907', '1978-11-16 16:28:45.165707', 'iH/gp^', '1978-03-03 18:17:22.591'), ('Xp}6, tu^', 'g[+$I.".', 3362960918313900335, 'tTV2', 17173149887142739387, '1976-09-17 14:03:43.353711', '2100-03-21 16:37:41.015792', '|', '1987-01-07 07:09:55.157'), ('xH1g?a', 'nF/lq?i7', 7971398294442116376, '', 9214209150161659704, '1991-08-03 15:09:44.103438', '2018-06-28 20:07:41.295814', '5sM&', '2084-07-28 21:29:12.875'), ('|,B', 'o', 11348101222935365189, '(-', 9796075892889571838, '2095-01-05 06:30:12.856340', '2086-12-28 04:33:09.340367', ';d', '1975-03-15 17:16:55.505');

INSERT INTO dns (`ts`, `client`, `server`, `vlan`, `transport`, `id`, `qname`, `qtype`, `rcode`, `ra`, `ede`, `answers`, `addresses`, `min_ttl`, `rtt_us`, `answered`, `sensor`, `site`, `group`, `device_ownership`, `categories`, `service`, `action`, `clause`, `policy_version`, `verdict`, `mechanism`, `confidence`) VALUES ('2026-03-02 08:00:01.650160', '::ffff:10.1.3.6', '::ffff:10.1.0.131', 5705, 'nbns', 19700, 'n49.example', 1619, 99, true, 8946, [], [], 68957, 99627, false, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:10.074332', '::ffff:10.1.1.34', '::ffff:10.1.3.149', 654, 'tcp', 31582, 'n320.example', 24229, 125, false, 29174, [], [], 24868, 15885, true, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:10.238372', '::ffff:10.1.1.246', '::ffff:10.1.1.221', 26643, 'tcp', 30786, 'n416.example', 15459, 103, false, 14927, ['a.example'], ['::ffff:192.0.2.1'], 48097, 16293, true, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:34.906056', '::ffff:10.1.3.177', '::ffff:10.1.2.144', 32204, 'udp', 32129, 'n121.example', 10975, 82, false, 8704, [], [], NULL, 2554, true, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:37.553232', '::ffff:10.1.1.157', '::ffff:10.1.0.46', 32270, 'llmnr', 30926, 'n439.example', 20664, 66, false, NULL, ['a.example'], ['::ffff:192.0.2.1'], 10293, 98297, true, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:39.662053', '::ffff:10.1.1.79', '::ffff:10.1.2.152', 31627, 'nbns', 3883, 'n109.example', 9029, 104, NULL, NULL, ['a.example','a.example'], ['::ffff:192.0.2.1'], 96074, 71852, false, '', '', '', '', [], '', '', '', '', '', '', 0);

INSERT INTO findings (`id`, `detector`, `class`, `title`, `subject_kind`, `subject`, `site`, `from`, `to`, `severity`, `confidence`, `clause`, `statement`, `inputs`, `thresholds`, `samples`, `loss`, `inconclusive`, `strength`, `updated`) VALUES ('', '.Z%', '(-', '', '|', '_f|AhU<3`', 'D"v!;', '1981-12-09 07:24:03.515428', '2064-11-11 08:46:58.261542', '2!c/m', 72, '@?%G`&', ':qW', {}, {'-r0b2P':-6.643550203609586e213}, ['','gTVWwmD,S'], 3.9143416700758073e155, true, 3.9812526699435107e173, '2016-06-18 14:17:03.362240'), ('+L,#', '8BZ<^!c,', 'Qd)I)', '! cG+@5', '^fR1KM|', ';d', 'e', '2080-03-02 21:33:36.059654', '1975-02-18 08:25:54.121276', '', 121, 'Jb30', '', {'yY,kR?d':-9.484215997610691e126}, {'[':1.460193433903475e164}, ['+XpWq6','@cc\'+&#Z'], 4.3951922276824233e111, false, -2.2224993782351405e184, '1976-08-27 06:33:04.241932'), ('3adp31#)S', '', 'tTV2', 'me|F3NJf', '5sM&', 'a"`XN', '<!yo!|PR', '2037-05-27 18:20:52.698301', '2039-02-28 13:08:50.408385', ' rfqy;6d~', 126, '!', '>)', {'!*9Va@':-8.794516991783793e-72}, {}, [';8Ai-[&9"'], -7.450352311470211e152, false, 1.5839904892205457e-118, '2084-08-24 20:46:43.231576'), ('Xp}6, tu^', 'g[+$I.".', 'k,o*', '.2JOfj;', 'UY\'hX.:', 'W_', '/7t', '2024-10-18 14:36:18.936486', '2013-03-13 22:14:31.048676', ']EzXTylU)', 101, 'K^\\(MvSr', '', {}, {'':2.5766810171022023e252}, ['B@c','^3G|n|3U'], 1.1586012541747246e184, true, -2.6050482296332558e-101, '1995-07-10 10:15:03.854366'), ('xH1g?a', 'nF/lq?i7', 'Z|EEesHYK', 'DFS', '} 9T', 'iH/gp^', '6*@', '2038-09-21 09:20:10.150961', '2061-09-12 20:45:32.706839', '\'ktcIU', 135, '@*m', '},pVb(KKz', {'"ksXu':-3.020249937359058e-261}, {}, ['AT{','pTFOD'], 6.30914315765897e-46, true, -1.4619793417674961e203, '2042-02-09 15:23:00.269765'), ('|,B', 'o', '', ']oxS^om;', 'I', '\'o8r+"m2', '\'CEa', '2092-06-24 21:11:22.601287', '1981-08-24 04:13:47.990186', 'dT;Uh', 12, 'b1S', 'H*r', {}, {}, [], -1.347322044797848e-193, false, -3.3227658255186633e285, '2029-07-05 15:04:08.804282');

INSERT INTO flows (`sensor`, `vlan`, `tunnel`, `flow_id`, `start`, `end`, `first`, `client`, `server`, `client_port`, `server_port`, `protocol`, `client_mac`, `server_mac`, `bytes_up`, `bytes_down`, `packets_up`, `packets_down`, `payload_up`, `payload_down`, `state`, `flags_up`, `flags_down`, `rtt_us`, `retransmits_up`, `retransmits_down`, `ttl_up_min`, `ttl_up_max`, `ttl_down_min`, `ttl_down_max`, `ended`, `application`, `server_name`, `name_source`, `alpn`, `tls_version`, `ja4`, `ech`, `http_method`, `http_status`, `http_location`, `hello`, `reset_by`, `reset_ttl_delta`, `acked_down`, `syn_signature`, `lost`, `certificate`, `issuer`, `logins`, `logins_failed`, `site`, `group`, `device_ownership`, `categories`, `service`, `action`, `clause`, `policy_version`, `verdict`, `mechanism`, `confidence`) VALUES ('gate', 5126, 'lisp', 34455, '2026-03-02 08:00:16.997073', '2026-03-02 08:00:36.428053', '2026-03-02 08:00:16.997073', '::ffff:10.1.0.200', '::ffff:10.1.2.51', 21641, 18656, 38, 24054, 21013, 62795, 35563, 23063, 78087, 3982, 91288, 'SHR', 121, 1, NULL, 19955, 66473, 92, 105, 29, 103, 'evicted', 'teamviewer', 'n389.example', 'dns', 'n487.example', '1.3', 'n451.example', 'none', 'M-SEARCH', 8457, 'n153.example', 80, 'none', 23539, 8874, 'n119.example', 81041, 'n342.example', 'n257.example', 15189, 10866, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 6613, 'macsec', 37903, '2026-03-02 08:00:53.982744', '2026-03-02 08:00:56.949337', '2026-03-02 08:00:53.982744', '::ffff:10.1.1.172', '::ffff:10.1.0.178', 6470, 29588, 37, 36731, 92624, 55852, 85526, 62864, 9252, 65841, 74385, 'OTH', 25, 122, NULL, 13732, 98145, 6, 11, 87, 30, 'closed', 'ftp', 'n396.example', 'sni', 'n319.example', 'ssl3', 'n471.example', 'none', 'OPTIONS', 15716, 'n193.example', 115, 'none', 21253, 46148, 'n122.example', 15988, 'n427.example', 'n200.example', 26281, 32418, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 14058, 'mpls', 12926, '2026-03-02 08:00:59.426017', '2026-03-02 08:01:34.648848', '2026-03-02 08:00:59.426017', '::ffff:10.1.1.205', '::ffff:10.1.0.248', 3986, 158, 57, 73180, 15763, 23451, 2242, 91559, 35504, 94108, 12955, 'S0', 66, 68, NULL, 26125, 28492, 68, 27, NULL, 36, 'active', 'kerberos', 'n361.example', 'dns', 'n177.example', 'ssl3', 'n411.example', 'grease_or_real', 'other', 8062, 'n145.example', 32, 'server', 31714, 84493, 'n294.example', 81637, 'n478.example', 'n448.example', 1130, 21314, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 22731, 'ayiya', 27798, '2026-03-02 08:00:06.477370', '2026-03-02 08:01:05.272034', '2026-03-02 08:00:06.477370', '::ffff:10.1.2.142', '::ffff:10.1.2.179', 11594, 28905, 71, 15381, 83407, 2259, 32575, 80493, 4638, 24976, 70264, 'REJ', 8, 86, 75113, 46139, 12904, 43, NULL, 95, 107, 'shutdown', 'syslog', 'n168.example', 'none', 'n407.example', '1.1', 'n458.example', 'grease_or_real', 'UNSUBSCRIBE', 26131, 'n323.example', 53, 'none', NULL, 17613, 'n40.example', 20843, 'n446.example', 'n492.example', 31552, 23790, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 25800, 'ayiya', 74900, '2026-03-02 08:00:07.503513', '2026-03-02 08:00:24.968074', '2026-03-02 08:00:07.503513', '::ffff:10.1.0.40', '::ffff:10.1.0.142', 1507, 18335, 57, 86849, 17312, 6035, 56382, 95113, 9849, 45802, 81813, 'REJ', 69, 30, 40977, 13559, 90885, 8, 67, 97, 115, 'idle', 'sctp', 'n324.example', 'http', 'n411.example', 'ssl2', 'n293.example', 'grease_or_real', 'BMOVE', 1265, 'n182.example', 30, 'none', 25936, 4810, 'n492.example', 7718, 'n132.example', 'n73.example', 11860, 28361, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 28838, '', 24857, '2026-03-02 08:00:10.813036', '2026-03-02 08:00:48.215658', '2026-03-02 08:00:10.813036', '::ffff:10.1.3.37', '::ffff:10.1.2.74', 18097, 22138, 85, 90641, 22512, 38849, 5482, 79703, 82580, 86143, 98117, 'REJ', 61, 49, 58308, 50409, 3239, NULL, 32, 119, 102, 'active', 'radmin', 'n490.example', 'quic', 'n159.example', '1.3', 'n397.example', 'none', 'MKCOL', 32691, 'n175.example', 12, 'none', NULL, 74507, 'n444.example', 52866, 'n409.example', 'n251.example', 28182, 1491, '', '', '', [], '', '', '', '', '', '', 0);

INSERT INTO health (`ts`, `sensor`, `boot`, `sequence`, `event`, `packets`, `bytes`, `dropped_kernel`, `dropped_ring`, `truncated`, `malformed`, `unknown_link`, `duplicates`, `flows`, `flows_peak`, `evicted`, `reassembly_peak`, `outbox_bytes`, `outbox_lost`, `clock_offset_us`, `lists`, `policy`, `version`, `heads_refused`, `site`) VALUES ('2026-03-02 08:00:01.638037', 'gate', 'n457.example', 35305, 'tick', 29050, 20737, 70577, 3670, 28531, 5506, 14101, 30658, 42358, 42623, 38321, 8069, 36267, 24515, 42429, 'n6.example', 'n422.example', 'n16.example', 19522, ''), ('2026-03-02 08:00:11.932700', 'gate', 'n333.example', 52759, 'tick', 73980, 67585, 21035, 29624, 37247, 60945, 60488, 39932, 13289, 87675, 75959, 54249, 26592, 79579, NULL, 'n13.example', 'n118.example', 'n340.example', 44591, ''), ('2026-03-02 08:00:32.723799', 'gate', 'n372.example', 88679, 'gap', 49478, 56618, 82229, 81390, 24248, 83263, 13431, 95784, 12806, 4583, 10060, 13355, 60158, 86196, 21427, 'n48.example', 'n88.example', 'n52.example', 65721, ''), ('2026-03-02 08:00:39.737105', 'gate', 'n441.example', 39797, 'gap', 55934, 42151, 73350, 10448, 17730, 38259, 94848, 65488, 78732, 31199, 89779, 79108, 34152, 94004, 38314, 'n243.example', 'n382.example', 'n419.example', 78520, ''), ('2026-03-02 08:00:42.112536', 'gate', 'n149.example', 26218, 'gap', 63292, 32634, 74353, 65130, 30024, 12738, 6979, 51741, 40261, 1643, 91214, 38243, 9749, 9282, 35098, 'n292.example', 'n445.example', 'n113.example', 12046, ''), ('2026-03-02 08:00:42.378865', 'gate', 'n273.example', 86168, 'stop', 96206, 9583, 64327, 42292, 13078, 92614, 4338, 77500, 46243, 49759, 77766, 46858, 2690, 53110, 7912, 'n272.example', 'n374.example', 'n40.example', 75933, '');

INSERT INTO lists (`since`, `version`, `list`, `title`, `categories`, `allow`, `url`, `licence`, `sha256`, `entries`, `added`, `removed`) VALUES ('1985-05-16 02:49:51.442454', ', tu^HK%G', 'o', '', ['','^fR1KM|'], false, 'iH/gp^', '6*@', 'fGLpy#', 125284746389081725, 2878041007352053503, 0), ('1991-09-22 12:37:30.964799', '8BZ<^!c,', 'Qd)I)', '! cG+@5', [], false, 'a"`XN', '<!yo!|PR', ' e', 14367559554318952929, 1671463039498178728, 0), ('2031-10-27 22:18:56.204846', 'nF/lq?i7', 'Z|EEesHYK', 'DFS', ['} 9T'], false, '_f|AhU<3`', 'D"v!;', '\'ktcIU', 15732408360800026939, 12095622405421369209, 0), ('2040-09-24 03:11:17.141989', 'g[+$I.".', 'k,o*', '.2JOfj;', ['UY\'hX.:','I'], true, 'e', 'b_CT', ']EzXTylU)', 13254160491324502160, 11073319072467253404, 0), ('2063-12-17 00:06:52.147438', 'Zj^k3ad', '', 'tTV2', [], true, 'W_', '/7t', 'sPa`*M"B', 10306286478867872092, 9805253543187203685, 0), ('2066-04-01 11:34:19.760736', 'S\\cAh>x', '.Z%', '(-', [], true, '\'o8r+"m2', '\'CEa', 'U=.?4Q', 7955565578595648311, 2968915651148264010, 0);

INSERT INTO rounds (`sensor`, `boot`, `sequence`, `finished`) VALUES ('', '.Z%', 11136678558223677972, '2086-03-03 10:05:46.870'), ('+L,#', '8BZ<^!c,', 4505596330375708575, '2026-07-17 18:57:03.498'), ('3adp31#)S', '', 7226418707458334091, '2103-08-18 07:37:16.394'), ('Xp}6, tu^', 'g[+$I.".', 3362960918313900335, '2096-09-22 16:33:42.094'), ('xH1g?a', 'nF/lq?i7', 7971398294442116376, '2082-11-07 05:04:22.964'), ('|,B', 'o', 11348101222935365189, '1970-07-12 05:03:22.550');

INSERT INTO schema_migrations (`name`, `sha256`, `applied`) VALUES ('0001_records.sql', '4c2073bf9e5a7ba053bba2eb32a4f24c2a67a5247b069251c64e7268e3d385bb', '2026-11-22 14:42:43'), ('0002_batches.sql', 'a5c4132e09c5663eb099194db9ccf50ad49c74bf207e74d0ff308bc99e36f4e2', '2026-11-22 14:42:43'), ('0003_traffic.sql', '4600f21a4e759b2806914377c4261de2c9dac6c54b84074ed6b6ad1fef50adb9', '2026-11-22 14:42:43'), ('0004_community_id.sql', 'c6ac8ab34622d8ff296c41276f2f9a0e8f656108dc800e9d527ca22b3a49d099', '2026-11-22 14:42:44'), ('0005_compact_parts.sql', 'f641106f6fcf71727bc0426457ec5eeec427c14dcf310898cab99c264954ee34', '2026-11-22 14:42:44'), ('0006_flow_codecs.sql', '9a424b9ea200f1f8cad95349f96f03616fac7e822b398bd2c39e8ec6c18ec7f4', '2026-11-22 14:42:44'), ('0010_attempts.sql', 'e42ccaa44c0991e713da44a78e4581441364fa80e7a69bbc82cac697a917ed53', '2026-11-22 14:42:45'), ('0011_findings.sql', '0aa6fcdddcab0cd79d362b653cd30f93f0c27d7005295bf9f0c9657c085f9b03', '2026-11-22 14:42:45'), ('0012_access_log.sql', '1c2194d7d008e927a7dbb16d77fa0b63bbba9c2b5617827d1bb468a44a03ad10', '2026-11-22 14:42:45'), ('0013_schema_2.sql', '001a90744d38968d63e81264782a004d7021a22209f898b5d35e9b1d3bcc0f82', '2026-11-22 14:42:46'), ('0014_lists.sql', 'b919e067683094846784d047d5819e8aee3210157f04b6dd810764b414c477de', '2026-11-22 14:42:47');

INSERT INTO sightings (`ts`, `vlan`, `source`, `mac`, `ip`, `name`, `value`, `attributes`, `sensor`, `site`) VALUES ('2026-03-02 08:00:01.853064', 4496, 'stp', 57347, '::ffff:10.1.0.233', 'n334.example', 'n212.example', {'lease':'4'}, '', ''), ('2026-03-02 08:00:11.685031', 7484, 'ndp', 1907, '::ffff:10.1.1.229', 'n335.example', 'n244.example', {'lease':'7'}, '', ''), ('2026-03-02 08:00:15.085185', 18224, 'kerberos', 66698, '::ffff:10.1.0.77', 'n211.example', 'n290.example', {'lease':'2'}, '', ''), ('2026-03-02 08:00:20.893202', 9227, 'arp', 28906, '::ffff:10.1.2.103', 'n46.example', 'n411.example', {'lease':'4'}, '', ''), ('2026-03-02 08:00:27.280900', 14471, 'dhcp_ack', 68491, '::ffff:10.1.0.157', 'n58.example', 'n365.example', {'lease':'5'}, '', ''), ('2026-03-02 08:00:51.436257', 14491, 'probe', 52593, '::ffff:10.1.3.211', 'n107.example', 'n36.example', {'lease':'0'}, '', '');

INSERT INTO traffic_1m (`minute`, `site`, `group`, `client`, `service`, `category`, `application`, `name_source`, `action`, `bytes_up`, `bytes_down`, `packets_up`, `packets_down`, `flows`) VALUES ('2026-03-02 08:00:00', '', '', '::ffff:10.1.0.40', '', '', 'sctp', 'http', '', 6035, 56382, 95113, 9849, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.0.200', '', '', 'teamviewer', 'dns', '', 62795, 35563, 23063, 78087, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.1.172', '', '', 'ftp', 'sni', '', 55852, 85526, 62864, 9252, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.1.205', '', '', 'kerberos', 'dns', '', 23451, 2242, 91559, 35504, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.2.142', '', '', 'syslog', 'none', '', 2259, 32575, 80493, 4638, 1), ('2026-03-02 08:00:00', '', '', '::ffff:10.1.3.37', '', '', 'radmin', 'quic', '', 38849, 5482, 79703, 82580, 1);

CREATE MATERIALIZED VIEW traffic_1m_from_flows TO traffic_1m
(
    `minute` DateTime('UTC'),
    `site` LowCardinality(String),
    `group` LowCardinality(String),
    `client` IPv6,
    `service` LowCardinality(String),
    `category` String,
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
    categories[1] AS category,
    application,
    name_source,
    action,
    sum(flows.bytes_up) AS bytes_up,
    sum(flows.bytes_down) AS bytes_down,
    sum(toUInt64(flows.packets_up)) AS packets_up,
    sum(toUInt64(flows.packets_down)) AS packets_down,
    countIf(flows.start = flows.first) AS flows
FROM flows
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
