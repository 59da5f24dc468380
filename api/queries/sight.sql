-- Bytes and flows by what was in sight of their names (pipeline/store/migrations/0025_sight.sql), by site and group.
SELECT toString(site) AS site, toString(`group`) AS `group`, toString(sight) AS sight, sum(sight_1m.bytes) AS bytes, sum(sight_1m.flows) AS flows
FROM sight_1m
WHERE minute >= toDateTime(intDiv({first:Int64}, 1000000), 'UTC')
  AND minute < toDateTime(intDiv({last:Int64}, 1000000), 'UTC')
GROUP BY site, `group`, sight
ORDER BY site, `group`, sight
