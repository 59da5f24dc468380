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
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE flows
(
    `sensor` LowCardinality(String),
    `vlan` UInt16 CODEC(T64, ZSTD(1)),
    `tunnel` LowCardinality(String),
    `flow_id` UInt64 CODEC(ZSTD(1)),
    `start` DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `end` DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `first` DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
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
PARTITION BY toYYYYMM(start)
ORDER BY (toStartOfHour(start), site, client, start)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

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
    `site` LowCardinality(String),
    `arrived` DateTime64(0, 'UTC') MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (sensor, ts)
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
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

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
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

INSERT INTO batches (`sensor`, `boot`, `sequence`, `records`, `rows`, `first`, `last`, `sha256`, `inserted`) VALUES ('', '.Z%', 11136678558223677972, 'DFS', 5356135160171112246, '1989-07-28 18:30:49.532195', '1999-10-28 11:20:04.751617', 'W_', '2038-10-09 17:08:35.721'), ('+L,#', '8BZ<^!c,', 4505596330375708575, 'D0gFk,o*', 6618479534453890887, '1991-06-03 18:20:10.795958', '2021-05-22 04:18:54.331081', 'I', '2030-12-17 23:08:55.348'), ('3adp31#)S', '', 7226418707458334091, '! cG+@5', 9936330169114207374, '2033-09-16 19:41:45.987907', '1978-11-16 16:28:45.165707', 'iH/gp^', '1978-03-03 18:17:22.591'), ('Xp}6, tu^', 'g[+$I.".', 3362960918313900335, 'tTV2', 17173149887142739387, '1976-09-17 14:03:43.353711', '2100-03-21 16:37:41.015792', '|', '1987-01-07 07:09:55.157'), ('xH1g?a', 'nF/lq?i7', 7971398294442116376, '', 9214209150161659704, '1991-08-03 15:09:44.103438', '2018-06-28 20:07:41.295814', '5sM&', '2084-07-28 21:29:12.875'), ('|,B', 'o', 11348101222935365189, '(-', 9796075892889571838, '2095-01-05 06:30:12.856340', '2086-12-28 04:33:09.340367', ';d', '1975-03-15 17:16:55.505');

INSERT INTO dns (`ts`, `client`, `server`, `vlan`, `transport`, `id`, `qname`, `qtype`, `rcode`, `ra`, `ede`, `answers`, `addresses`, `min_ttl`, `rtt_us`, `answered`, `sensor`, `site`, `group`, `device_ownership`, `categories`, `service`, `action`, `clause`, `policy_version`, `verdict`, `mechanism`, `confidence`) VALUES ('2026-03-02 08:00:01.650160', '::ffff:10.1.3.6', '::ffff:10.1.0.131', 5705, 'nbns', 19700, 'n49.example', 1619, 99, true, 8946, [], [], 68957, 99627, false, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:10.074332', '::ffff:10.1.1.34', '::ffff:10.1.3.149', 654, 'tcp', 31582, 'n320.example', 24229, 125, false, 29174, [], [], 24868, 15885, true, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:10.238372', '::ffff:10.1.1.246', '::ffff:10.1.1.221', 26643, 'tcp', 30786, 'n416.example', 15459, 103, false, 14927, ['a.example'], ['::ffff:192.0.2.1'], 48097, 16293, true, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:34.906056', '::ffff:10.1.3.177', '::ffff:10.1.2.144', 32204, 'udp', 32129, 'n121.example', 10975, 82, false, 8704, [], [], NULL, 2554, true, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:37.553232', '::ffff:10.1.1.157', '::ffff:10.1.0.46', 32270, 'llmnr', 30926, 'n439.example', 20664, 66, false, NULL, ['a.example'], ['::ffff:192.0.2.1'], 10293, 98297, true, '', '', '', '', [], '', '', '', '', '', '', 0), ('2026-03-02 08:00:39.662053', '::ffff:10.1.1.79', '::ffff:10.1.2.152', 31627, 'nbns', 3883, 'n109.example', 9029, 104, NULL, NULL, ['a.example','a.example'], ['::ffff:192.0.2.1'], 96074, 71852, false, '', '', '', '', [], '', '', '', '', '', '', 0);

INSERT INTO flows (`sensor`, `vlan`, `tunnel`, `flow_id`, `start`, `end`, `first`, `client`, `server`, `client_port`, `server_port`, `protocol`, `client_mac`, `server_mac`, `bytes_up`, `bytes_down`, `packets_up`, `packets_down`, `payload_up`, `payload_down`, `state`, `flags_up`, `flags_down`, `rtt_us`, `retransmits_up`, `retransmits_down`, `ttl_up_min`, `ttl_up_max`, `ttl_down_min`, `ttl_down_max`, `ended`, `application`, `server_name`, `name_source`, `alpn`, `tls_version`, `ja4`, `ech`, `http_method`, `http_status`, `http_location`, `hello`, `reset_by`, `reset_ttl_delta`, `acked_down`, `syn_signature`, `lost`, `site`, `group`, `device_ownership`, `categories`, `service`, `action`, `clause`, `policy_version`, `verdict`, `mechanism`, `confidence`) VALUES ('gate', 5126, 'lisp', 34455, '2026-03-02 08:00:16.997073', '2026-03-02 08:00:36.428053', '2026-03-02 08:00:16.997073', '::ffff:10.1.0.200', '::ffff:10.1.2.51', 21641, 18656, 38, 24054, 21013, 62795, 35563, 23063, 78087, 3982, 91288, 'SHR', 121, 1, NULL, 19955, 66473, 92, 105, 29, 103, 'evicted', 'teamviewer', 'n389.example', 'dns', 'n487.example', '1.3', 'n451.example', 'none', 'M-SEARCH', 8457, 'n153.example', 80, 'none', 23539, 8874, 'n119.example', 81041, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 6613, 'macsec', 37903, '2026-03-02 08:00:53.982744', '2026-03-02 08:00:56.949337', '2026-03-02 08:00:53.982744', '::ffff:10.1.1.172', '::ffff:10.1.0.178', 6470, 29588, 37, 36731, 92624, 55852, 85526, 62864, 9252, 65841, 74385, 'OTH', 25, 122, NULL, 13732, 98145, 6, 11, 87, 30, 'closed', 'ftp', 'n396.example', 'sni', 'n319.example', 'ssl3', 'n471.example', 'none', 'OPTIONS', 15716, 'n193.example', 115, 'none', 21253, 46148, 'n122.example', 15988, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 14058, 'mpls', 12926, '2026-03-02 08:00:59.426017', '2026-03-02 08:01:34.648848', '2026-03-02 08:00:59.426017', '::ffff:10.1.1.205', '::ffff:10.1.0.248', 3986, 158, 57, 73180, 15763, 23451, 2242, 91559, 35504, 94108, 12955, 'S0', 66, 68, NULL, 26125, 28492, 68, 27, NULL, 36, 'active', 'kerberos', 'n361.example', 'dns', 'n177.example', 'ssl3', 'n411.example', 'grease_or_real', 'other', 8062, 'n145.example', 32, 'server', 31714, 84493, 'n294.example', 81637, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 22731, 'ayiya', 27798, '2026-03-02 08:00:06.477370', '2026-03-02 08:01:05.272034', '2026-03-02 08:00:06.477370', '::ffff:10.1.2.142', '::ffff:10.1.2.179', 11594, 28905, 71, 15381, 83407, 2259, 32575, 80493, 4638, 24976, 70264, 'REJ', 8, 86, 75113, 46139, 12904, 43, NULL, 95, 107, 'shutdown', 'syslog', 'n168.example', 'none', 'n407.example', '1.1', 'n458.example', 'grease_or_real', 'UNSUBSCRIBE', 26131, 'n323.example', 53, 'none', NULL, 17613, 'n40.example', 20843, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 25800, 'ayiya', 74900, '2026-03-02 08:00:07.503513', '2026-03-02 08:00:24.968074', '2026-03-02 08:00:07.503513', '::ffff:10.1.0.40', '::ffff:10.1.0.142', 1507, 18335, 57, 86849, 17312, 6035, 56382, 95113, 9849, 45802, 81813, 'REJ', 69, 30, 40977, 13559, 90885, 8, 67, 97, 115, 'idle', 'sctp', 'n324.example', 'http', 'n411.example', 'ssl2', 'n293.example', 'grease_or_real', 'BMOVE', 1265, 'n182.example', 30, 'none', 25936, 4810, 'n492.example', 7718, '', '', '', [], '', '', '', '', '', '', 0), ('gate', 28838, '', 24857, '2026-03-02 08:00:10.813036', '2026-03-02 08:00:48.215658', '2026-03-02 08:00:10.813036', '::ffff:10.1.3.37', '::ffff:10.1.2.74', 18097, 22138, 85, 90641, 22512, 38849, 5482, 79703, 82580, 86143, 98117, 'REJ', 61, 49, 58308, 50409, 3239, NULL, 32, 119, 102, 'active', 'radmin', 'n490.example', 'quic', 'n159.example', '1.3', 'n397.example', 'none', 'MKCOL', 32691, 'n175.example', 12, 'none', NULL, 74507, 'n444.example', 52866, '', '', '', [], '', '', '', '', '', '', 0);

INSERT INTO health (`ts`, `sensor`, `boot`, `sequence`, `event`, `packets`, `bytes`, `dropped_kernel`, `dropped_ring`, `truncated`, `malformed`, `unknown_link`, `duplicates`, `flows`, `flows_peak`, `evicted`, `reassembly_peak`, `outbox_bytes`, `outbox_lost`, `clock_offset_us`, `lists`, `policy`, `version`, `site`) VALUES ('2026-03-02 08:00:01.638037', 'gate', 'n457.example', 35305, 'tick', 29050, 20737, 70577, 3670, 28531, 5506, 14101, 30658, 42358, 42623, 38321, 8069, 36267, 24515, 42429, 'n6.example', 'n422.example', 'n16.example', ''), ('2026-03-02 08:00:11.932700', 'gate', 'n333.example', 52759, 'tick', 73980, 67585, 21035, 29624, 37247, 60945, 60488, 39932, 13289, 87675, 75959, 54249, 26592, 79579, NULL, 'n13.example', 'n118.example', 'n340.example', ''), ('2026-03-02 08:00:32.723799', 'gate', 'n372.example', 88679, 'gap', 49478, 56618, 82229, 81390, 24248, 83263, 13431, 95784, 12806, 4583, 10060, 13355, 60158, 86196, 21427, 'n48.example', 'n88.example', 'n52.example', ''), ('2026-03-02 08:00:39.737105', 'gate', 'n441.example', 39797, 'gap', 55934, 42151, 73350, 10448, 17730, 38259, 94848, 65488, 78732, 31199, 89779, 79108, 34152, 94004, 38314, 'n243.example', 'n382.example', 'n419.example', ''), ('2026-03-02 08:00:42.112536', 'gate', 'n149.example', 26218, 'gap', 63292, 32634, 74353, 65130, 30024, 12738, 6979, 51741, 40261, 1643, 91214, 38243, 9749, 9282, 35098, 'n292.example', 'n445.example', 'n113.example', ''), ('2026-03-02 08:00:42.378865', 'gate', 'n273.example', 86168, 'stop', 96206, 9583, 64327, 42292, 13078, 92614, 4338, 77500, 46243, 49759, 77766, 46858, 2690, 53110, 7912, 'n272.example', 'n374.example', 'n40.example', '');

INSERT INTO rounds (`sensor`, `boot`, `sequence`, `finished`) VALUES ('', '.Z%', 11136678558223677972, '2086-03-03 10:05:46.870'), ('+L,#', '8BZ<^!c,', 4505596330375708575, '2026-07-17 18:57:03.498'), ('3adp31#)S', '', 7226418707458334091, '2103-08-18 07:37:16.394'), ('Xp}6, tu^', 'g[+$I.".', 3362960918313900335, '2096-09-22 16:33:42.094'), ('xH1g?a', 'nF/lq?i7', 7971398294442116376, '2082-11-07 05:04:22.964'), ('|,B', 'o', 11348101222935365189, '1970-07-12 05:03:22.550');

INSERT INTO schema_migrations (`name`, `sha256`, `applied`) VALUES ('0001_records.sql', '4c2073bf9e5a7ba053bba2eb32a4f24c2a67a5247b069251c64e7268e3d385bb', '2026-11-22 14:41:54'), ('0002_batches.sql', 'a5c4132e09c5663eb099194db9ccf50ad49c74bf207e74d0ff308bc99e36f4e2', '2026-11-22 14:41:54'), ('0003_traffic.sql', '4600f21a4e759b2806914377c4261de2c9dac6c54b84074ed6b6ad1fef50adb9', '2026-11-22 14:41:54');

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
