-- What is known of the mirror's loss, by site and minute: frames dropped before the sensor saw them, bytes of TCP
-- that were acknowledged but never seen, and whether anything was told and measured at all.
SELECT
    site,
    minute,
    sum(dropped) AS dropped,
    sum(packets) AS packets,
    sum(reports) AS reports,
    sum(holes) AS holes,
    sum(lost) AS lost,
    sum(bytes) AS bytes
FROM
(
    SELECT
        site,
        toStartOfMinute(ts) AS minute,
        sum(dropped_kernel) AS dropped,
        sum(packets) AS packets,
        count() AS reports,
        -- Records thrown away, or a ring that stood still without a count: how much is not known.
        countIf(outbox_lost > 0 OR dropped_ring > 0 AND dropped_kernel = 0) AS holes,
        0 AS lost,
        0 AS bytes
    FROM health
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
    GROUP BY site, minute
    UNION ALL
    SELECT
        site,
        toStartOfMinute(start) AS minute,
        0 AS dropped,
        0 AS packets,
        0 AS reports,
        0 AS holes,
        sum(lost) AS lost,
        sum(bytes_down + bytes_up) AS bytes
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')} AND protocol = 6
    GROUP BY site, minute
)
GROUP BY site, minute
