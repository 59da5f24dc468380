-- What nobody answered, in one place for all who ask for it. `failed`: a SYN that was refused, given up or left
-- alone (a row with the client's ACK was answered, if not before the mirror), UDP without an answer, an echo,
-- timestamp, information or mask request without one. `hollow`: a TCP connection that ended without a byte.

ALTER TABLE flows ADD COLUMN IF NOT EXISTS failed Bool ALIAS
    packets_up > 0 AND multiIf(
        protocol = 6, state IN ('S0', 'REJ', 'RSTOS0', 'SH') AND bitAnd(flags_up, 18) = 2,
        protocol = 17, state = 'S0',
        protocol = 1, packets_down = 0 AND client_port IN (8, 13, 15, 17),
        protocol = 58, packets_down = 0 AND client_port = 128,
        false);
ALTER TABLE flows ADD COLUMN IF NOT EXISTS hollow Bool ALIAS
    protocol = 6 AND packets_down > 0 AND payload_up = 0 AND payload_down = 0 AND bitAnd(flags_up, 2) = 2
    AND state IN ('SF', 'RSTO', 'RSTR', 'S2', 'S3');

-- The same by hour, so that a day of it is read at once: each host, its targets and when it tried them. Names that
-- the client had just resolved are followed, not guessed, and peers come and go: both are left out.
CREATE TABLE IF NOT EXISTS failed_1h (
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    site LowCardinality(String),
    client IPv6 CODEC(ZSTD),
    server IPv6 CODEC(ZSTD),
    port UInt16 CODEC(ZSTD),
    protocol UInt8 CODEC(ZSTD),
    first SimpleAggregateFunction(min, DateTime64(6, 'UTC')) CODEC(Delta, ZSTD),
    last SimpleAggregateFunction(max, DateTime64(6, 'UTC')) CODEC(Delta, ZSTD),
    arrived SimpleAggregateFunction(max, DateTime64(0, 'UTC'))
        MATERIALIZED toStartOfHour(now('UTC')) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, site, client, server, port, protocol)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS failed_1h_from_flows TO failed_1h AS
SELECT
    toStartOfHour(start) AS hour,
    site,
    client,
    server,
    if(protocol IN (1, 58), 0, server_port) AS port,
    protocol,
    min(flows.start) AS first,
    max(flows.start) AS last
FROM flows
WHERE failed AND server_name = ''
    AND (protocol != 17 OR application NOT IN
        ('dns', 'quic', 'stun', 'rtp', 'bittorrent', 'gnutella', 'ethereum', 'ntp', 'mdns', 'ssdp', 'llmnr', 'nbns',
        'dhcp', 'dhcpv6'))
    AND NOT (server BETWEEN toIPv6('::ffff:224.0.0.0') AND toIPv6('::ffff:255.255.255.255'))
    AND server < toIPv6('ff00::')
GROUP BY hour, site, client, server, port, protocol;
