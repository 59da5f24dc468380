-- Narrower sums inside the parts of the tables they are of: written with each part and made anew with each merge, so they
-- always say what its rows say, late ones too, and a repeated insert adds to neither. What was stored before gets them here; to
-- run it again changes nothing. A question must group by keys of a projection alone, and ask for its sums in these words
-- (api/queries); the store then reads it by itself.

ALTER TABLE usage_1h MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';
ALTER TABLE sites_1h MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';
ALTER TABLE sites_5m MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';
ALTER TABLE sight_1m MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';

-- Hosts over days and months.
ALTER TABLE usage_1h ADD PROJECTION IF NOT EXISTS days (
    SELECT
        toStartOfDay(hour), site, client,
        sum(bytes_up), sum(bytes_down), sum(packets_up), sum(packets_down), sum(flows),
        sum(by_none), sum(by_sni), sum(by_quic), sum(by_http), sum(by_dns)
    GROUP BY toStartOfDay(hour), site, client
);

-- What was used, whatever the site and the group.
ALTER TABLE sites_1h ADD PROJECTION IF NOT EXISTS everywhere (
    SELECT
        hour, service, category, application, name_source,
        sum(bytes_up), sum(bytes_down), sum(packets_up), sum(packets_down), sum(flows)
    GROUP BY hour, service, category, application, name_source
);
ALTER TABLE sites_5m ADD PROJECTION IF NOT EXISTS everywhere (
    SELECT
        slot, service, category, application, name_source,
        sum(bytes_up), sum(bytes_down), sum(packets_up), sum(packets_down), sum(flows)
    GROUP BY slot, service, category, application, name_source
);
ALTER TABLE sight_1m ADD PROJECTION IF NOT EXISTS hours (
    SELECT toStartOfHour(minute), site, `group`, sight, sum(bytes), sum(flows)
    GROUP BY toStartOfHour(minute), site, `group`, sight
);

-- What a sensor counted in five minutes, and in which of their fifteen parts of 20 s it reported: where it did in each, no two
-- reports are 40 s apart.
ALTER TABLE health ADD PROJECTION IF NOT EXISTS slots (
    SELECT
        sensor, toStartOfFiveMinutes(ts), event, site, boot,
        count(), min(ts), max(ts), groupBitOr(bitShiftLeft(toUInt16(1), intDiv(toUnixTimestamp(ts), 20) % 15)),
        sum(packets), sum(bytes), sum(dropped_kernel), sum(dropped_ring), sum(truncated), sum(malformed),
        sum(unknown_link), sum(duplicates), sum(evicted), sum(outbox_lost), max(flows_peak),
        argMax(flows, ts), argMax(outbox_bytes, ts), argMax(version, ts), argMax(clock_offset_us, ts),
        maxIf(ts, isNotNull(clock_offset_us))
    GROUP BY sensor, toStartOfFiveMinutes(ts), event, site, boot
);

-- From when to when the batches of a boot reach, by the hour they end in.
ALTER TABLE batches ADD PROJECTION IF NOT EXISTS hours (
    SELECT records, rows > 0, first >= toDateTime(946684800, 'UTC'), toStartOfHour(last), sensor, boot, min(first), max(last), count()
    GROUP BY records, rows > 0, first >= toDateTime(946684800, 'UTC'), toStartOfHour(last), sensor, boot
);
ALTER TABLE batches ADD INDEX IF NOT EXISTS batches_first first TYPE minmax GRANULARITY 1;
ALTER TABLE batches ADD INDEX IF NOT EXISTS batches_last last TYPE minmax GRANULARITY 1;

ALTER TABLE usage_1h MATERIALIZE PROJECTION days SETTINGS mutations_sync = 2;
ALTER TABLE sites_1h MATERIALIZE PROJECTION everywhere SETTINGS mutations_sync = 2;
ALTER TABLE sites_5m MATERIALIZE PROJECTION everywhere SETTINGS mutations_sync = 2;
ALTER TABLE sight_1m MATERIALIZE PROJECTION hours SETTINGS mutations_sync = 2;
ALTER TABLE health MATERIALIZE PROJECTION slots SETTINGS mutations_sync = 2;
ALTER TABLE batches MATERIALIZE PROJECTION hours SETTINGS mutations_sync = 2;
ALTER TABLE batches MATERIALIZE INDEX batches_first SETTINGS mutations_sync = 2;
ALTER TABLE batches MATERIALIZE INDEX batches_last SETTINGS mutations_sync = 2;
