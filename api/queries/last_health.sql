-- Counters of each sensor since it is known, and when it last reported.
SELECT
    toString(sensor) AS name,
    sum(packets) AS seen,
    sum(bytes) AS wire_bytes,
    sum(dropped_kernel) AS kernel,
    sum(dropped_ring) AS ring,
    sum(duplicates) AS copies,
    sum(truncated) AS cut_off,
    sum(malformed) AS broken,
    sum(evicted) AS early,
    sum(outbox_lost) AS lost,
    argMax(flows, ts) AS open_flows,
    argMax(outbox_bytes, ts) AS waiting,
    max(ts) AS at,
    toFloat64(toUnixTimestamp64Micro(at)) / 1e6 AS latest
FROM health
GROUP BY name
ORDER BY name
