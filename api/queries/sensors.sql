-- Counters of each sensor in the range. A `stop` row carries the clock's time, which for a replayed
-- file is not the packets': it counts where the records of its boot ended.
WITH ended AS
(
    SELECT sensor, boot, max(last) AS until
    FROM batches
    WHERE records IN ('flows', 'dns', 'sightings') AND rows > 0
    GROUP BY sensor, boot
)
SELECT
    toString(h.sensor) AS name,
    arraySort(groupUniqArray(toString(h.site))) AS sites,
    uniqExact(h.boot) AS boots,
    countIf(h.event = 'gap') AS gap_events,
    sum(h.packets) AS seen,
    sum(h.bytes) AS wire_bytes,
    sum(h.dropped_kernel) AS kernel,
    sum(h.dropped_ring) AS ring,
    sum(h.truncated) AS short,
    sum(h.malformed) AS bad,
    sum(h.unknown_link) AS undecoded,
    sum(h.duplicates) AS doubled,
    sum(h.evicted) AS early,
    sum(h.outbox_lost) AS lost,
    max(h.flows_peak) AS most_flows,
    argMax(h.outbox_bytes, h.ts) AS waiting,
    argMax(h.clock_offset_us, h.ts) AS clock_offset,
    argMax(h.version, h.ts) AS release,
    toUnixTimestamp64Micro(max(h.ts)) AS latest
FROM health AS h
LEFT JOIN ended AS e ON h.sensor = e.sensor AND h.boot = e.boot
WHERE if(h.event IN ('tick', 'gap') OR e.boot = '', h.ts, e.until) >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
  AND if(h.event IN ('tick', 'gap') OR e.boot = '', h.ts, e.until) < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
GROUP BY name
ORDER BY name
