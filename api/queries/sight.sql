-- Bytes and flows by what was in sight of their names (pipeline/store/migrations/0025_sight.sql), by site and group: whole hours
-- from their sums.
SELECT toString(site) AS site, toString(`group`) AS `group`, toString(sight) AS sight, sum(s.bytes) AS bytes, sum(s.flows) AS flows
FROM
(
    SELECT site, `group`, sight, sum(h.bytes) AS bytes, sum(h.flows) AS flows
    FROM sight_1m AS h
    WHERE toStartOfHour(minute) >= toDateTime({first_hour:Int64}, 'UTC')
      AND toStartOfHour(minute) < toDateTime({last_hour:Int64}, 'UTC')
    GROUP BY site, `group`, sight
    UNION ALL
    SELECT site, `group`, sight, bytes, flows
    FROM sight_1m
    WHERE minute >= toDateTime(intDiv({first:Int64}, 1000000), 'UTC')
      AND minute < toDateTime(intDiv({last:Int64}, 1000000), 'UTC')
      AND (minute < toDateTime({first_hour:Int64}, 'UTC') OR minute >= toDateTime({last_hour:Int64}, 'UTC'))
) AS s
GROUP BY site, `group`, sight
ORDER BY site, `group`, sight
