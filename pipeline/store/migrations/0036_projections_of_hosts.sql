-- As 0035, of the sums that know hosts: what was used whatever the host, hosts by five minutes, and hosts by what they used.
-- Hosts have a sum for each place their names came from, as in `usage_1h`: a row for each place would be three or four a host.
-- Services are asked for in any case of letters: the projection of their users begins with what the question compares.

ALTER TABLE traffic_1m MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';
ALTER TABLE traffic_1h MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';

ALTER TABLE traffic_1m ADD PROJECTION IF NOT EXISTS everywhere (
    SELECT
        minute, service, category, application, name_source,
        sum(bytes_up), sum(bytes_down), sum(packets_up), sum(packets_down), sum(flows)
    GROUP BY minute, service, category, application, name_source
);
ALTER TABLE traffic_1m ADD PROJECTION IF NOT EXISTS hosts (
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
ALTER TABLE traffic_1h ADD PROJECTION IF NOT EXISTS users_of_services (
    SELECT
        lower(service), hour, site, client, category, name_source,
        sum(bytes_up), sum(bytes_down), sum(packets_up), sum(packets_down), sum(flows)
    GROUP BY lower(service), hour, site, client, category, name_source
);

ALTER TABLE traffic_1m MATERIALIZE PROJECTION everywhere SETTINGS mutations_sync = 2;
ALTER TABLE traffic_1m MATERIALIZE PROJECTION hosts SETTINGS mutations_sync = 2;
ALTER TABLE traffic_1h MATERIALIZE PROJECTION users_of_services SETTINGS mutations_sync = 2;
