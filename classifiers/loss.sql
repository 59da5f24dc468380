-- What the mirror lost, by site and minute: frames dropped before the sensor saw them, and bytes that
-- were acknowledged but never seen.
SELECT
    site,
    minute,
    sum(dropped) AS dropped,
    sum(packets) AS packets,
    sum(lost) AS lost,
    sum(bytes) AS bytes
FROM
(
    SELECT
        site,
        toStartOfMinute(ts) AS minute,
        sum(dropped_kernel) AS dropped,
        sum(packets) AS packets,
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
        sum(lost) AS lost,
        sum(bytes_down + bytes_up) AS bytes
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
    GROUP BY site, minute
)
GROUP BY site, minute
HAVING dropped > 0 OR lost > 0 OR packets > 0 OR bytes > 0
