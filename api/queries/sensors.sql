-- Counters of each sensor in the range: whole slots of five minutes from their sums, what is left from the rows. A `start` or
-- `stop` row carries the clock's time, which for a replayed file is not the packets': it counts where the records of
-- its boot ended.
WITH
told AS
(
    SELECT
        sensor, site, boot, event,
        count() AS reports,
        sum(h.packets) AS packets, sum(h.bytes) AS bytes, sum(h.dropped_kernel) AS dropped_kernel,
        sum(h.dropped_ring) AS dropped_ring, sum(h.truncated) AS truncated, sum(h.malformed) AS malformed,
        sum(h.unknown_link) AS unknown_link, sum(h.duplicates) AS duplicates, sum(h.evicted) AS evicted,
        sum(h.outbox_lost) AS outbox_lost, max(h.flows_peak) AS flows_peak,
        argMax(h.outbox_bytes, ts) AS outbox_bytes, argMax(h.version, ts) AS version,
        argMax(h.clock_offset_us, ts) AS clock_offset_us, maxIf(ts, isNotNull(h.clock_offset_us)) AS offset_at, max(ts) AS latest
    FROM health AS h
    WHERE event IN ('tick', 'gap')
      AND toStartOfFiveMinutes(ts) >= toDateTime({first_slot:Int64}, 'UTC')
      AND toStartOfFiveMinutes(ts) < toDateTime({last_slot:Int64}, 'UTC')
    GROUP BY sensor, site, boot, event
    UNION ALL
    SELECT
        sensor, site, boot, event,
        1, packets, bytes, dropped_kernel, dropped_ring, truncated, malformed, unknown_link, duplicates, evicted, outbox_lost,
        flows_peak, outbox_bytes, version, clock_offset_us, ts, ts
    FROM health
    WHERE event IN ('tick', 'gap')
      AND ts >= fromUnixTimestamp64Micro({first:Int64}, 'UTC') AND ts < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
      AND (ts < toDateTime({first_slot:Int64}, 'UTC') OR ts >= toDateTime({last_slot:Int64}, 'UTC'))
    UNION ALL
    SELECT
        sensor, site, boot, event,
        1, packets, bytes, dropped_kernel, dropped_ring, truncated, malformed, unknown_link, duplicates, evicted, outbox_lost,
        flows_peak, outbox_bytes, version, clock_offset_us, ts, ts
    FROM health
    LEFT JOIN
    (
        SELECT sensor, boot, max(last) AS until
        FROM batches
        WHERE records IN ('flows', 'dns', 'sightings') AND (rows > 0)
        GROUP BY sensor, boot
    ) AS ended USING (sensor, boot)
    WHERE event NOT IN ('tick', 'gap')
      AND (sensor, toStartOfFiveMinutes(ts)) IN
      (
          SELECT sensor, toStartOfFiveMinutes(ts)
          FROM health
          WHERE event NOT IN ('tick', 'gap')
          GROUP BY sensor, toStartOfFiveMinutes(ts)
      )
      AND if(ended.boot = '', ts, until) >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      AND if(ended.boot = '', ts, until) < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
)
SELECT
    toString(sensor) AS name,
    arraySort(groupUniqArray(toString(site))) AS sites,
    uniqExact(boot) AS boots,
    sumIf(reports, event = 'gap') AS gap_events,
    sum(packets) AS seen,
    sum(bytes) AS wire_bytes,
    sum(dropped_kernel) AS kernel,
    sum(dropped_ring) AS ring,
    sum(truncated) AS short,
    sum(malformed) AS bad,
    sum(unknown_link) AS undecoded,
    sum(duplicates) AS doubled,
    sum(evicted) AS early,
    sum(outbox_lost) AS lost,
    max(flows_peak) AS most_flows,
    argMax(outbox_bytes, told.latest) AS waiting,
    argMax(clock_offset_us, offset_at) AS clock_offset,
    argMax(version, told.latest) AS release,
    toUnixTimestamp64Micro(max(told.latest)) AS latest
FROM told
GROUP BY sensor
ORDER BY name
