-- Hosts by five minutes with a sum for each place their names came from, as `usage_1h` has them: a row for a host where the
-- projection of 0036 had three or four.

ALTER TABLE traffic_1m DROP PROJECTION IF EXISTS hosts;
ALTER TABLE traffic_1m ADD PROJECTION IF NOT EXISTS hosts_5m (
    SELECT
        toStartOfFiveMinutes(minute), site, client,
        sum(bytes_up), sum(bytes_down), sum(packets_up), sum(packets_down), sum(flows),
        sumIf(bytes_up + bytes_down, name_source = 'none'),
        sumIf(bytes_up + bytes_down, name_source = 'sni'),
        sumIf(bytes_up + bytes_down, name_source = 'quic'),
        sumIf(bytes_up + bytes_down, name_source = 'http'),
        sumIf(bytes_up + bytes_down, name_source = 'dns')
    GROUP BY toStartOfFiveMinutes(minute), site, client
);
ALTER TABLE traffic_1m MATERIALIZE PROJECTION hosts_5m SETTINGS mutations_sync = 2;
