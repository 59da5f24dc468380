-- title: Daily quota exceeded
-- class: bandwidth
-- states: {subject} ({group}) moved {megabytes} MB on {day} until {until}, its quota for the day is {quota_megabytes} MB
--   ({kinds}{clause}). The most by {service}.
-- subject: host
-- severity: low
-- clause: S9a, S18c, L K17
-- window: 1h
-- step: 1h
-- lookback: 25h
-- reads: traffic_1h, traffic_1m
-- needs flows: notEmpty({day_quota_bytes:Array(Float64)})
-- rests_on: presence
WITH
arrayZip({day_quota_groups:Array(String)}, {day_quota_categories:Array(Array(String))}, {day_quota_bytes:Array(Float64)},
    {day_quota_clauses:Array(String)}, arrayEnumerate({day_quota_bytes:Array(Float64)})) AS quotas,
days AS
(
    SELECT
        day.1 AS day_site, toDateTime(day.2, 'UTC') AS begin, toDateTime(day.3, 'UTC') AS finish, day.4 AS title
    FROM
    (
        SELECT arrayJoin(arrayZip({day_sites:Array(String)}, {day_from:Array(Int64)}, {day_to:Array(Int64)},
            {day_titles:Array(String)})) AS day
    )
),
-- Hours of the hourly sums; where a day of some site begins within an hour, the minutes of it.
sums AS
(
    SELECT
        toDateTime(hour, 'UTC') AS at, site, client, `group`, service, category, name_source,
        toFloat64(bytes_up) + toFloat64(bytes_down) AS bytes
    FROM traffic_1h
    WHERE hour >= {from:DateTime64(6, 'UTC')} AND hour < {to:DateTime64(6, 'UTC')}
        AND NOT has({cut_hours:Array(Int64)}, toInt64(toUnixTimestamp(toDateTime(hour, 'UTC'))))
        AND notEmpty({day_quota_bytes:Array(Float64)})
    UNION ALL
    SELECT
        toDateTime(minute, 'UTC') AS at, site, client, `group`, service, category, name_source,
        toFloat64(bytes_up) + toFloat64(bytes_down) AS bytes
    FROM traffic_1m
    WHERE minute >= {from:DateTime64(6, 'UTC')} AND minute < {to:DateTime64(6, 'UTC')}
        AND has({cut_hours:Array(Int64)}, toInt64(toUnixTimestamp(toStartOfHour(toDateTime(minute, 'UTC')))))
        AND notEmpty({day_quota_bytes:Array(Float64)}) AND notEmpty({cut_hours:Array(Int64)})
),
suspects AS
(
    SELECT site, client FROM sums
    GROUP BY site, client
    HAVING sum(bytes) > arrayMin({day_quota_bytes:Array(Float64)})
),
counted AS
(
    SELECT
        at, site, client, `group`, quota.2 AS kinds, quota.3 AS allowed, quota.4 AS clause, quota.5 AS number,
        if(service != '', toString(service), if(category != '', toString(category), 'no service known')) AS what,
        toString(name_source) AS name_source, bytes
    FROM sums
    ARRAY JOIN quotas AS quota
    WHERE (site, client) IN (SELECT site, client FROM suspects)
        AND (quota.1 = '*' OR quota.1 = `group`) AND (empty(quota.2) OR has(quota.2, category))
        AND NOT has({sanctioned_services:Array(String)}, service)
),
-- Hours of each host, quota and day, with what moved in them.
hours AS
(
    SELECT
        site, client, number, begin, min(finish) AS finish, min(title) AS title, toStartOfHour(at) AS step,
        min(`group`) AS `group`, min(kinds) AS kinds, min(allowed) AS allowed, min(clause) AS clause, sum(bytes) AS hour_bytes,
        max((bytes, what, name_source)) AS hour_part
    FROM counted
    INNER JOIN days ON day_site = site
    WHERE at >= begin AND at < finish
    GROUP BY site, client, number, begin, step
),
so_far AS
(
    SELECT *, sum(hour_bytes) OVER w AS moved, max(hour_part) OVER w AS greatest_part
    FROM hours
    WINDOW w AS (PARTITION BY site, client, number, begin ORDER BY step)
),
-- As far as records go: the hour at hand is not over.
seen AS
(
    SELECT site AS seen_site, toStartOfHour(toDateTime(minute, 'UTC')) AS seen_hour, toDateTime(max(minute), 'UTC') + 60 AS until
    FROM traffic_1m
    WHERE minute >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND minute < {to:DateTime64(6, 'UTC')}
        AND notEmpty({day_quota_bytes:Array(Float64)})
    GROUP BY seen_site, seen_hour
),
past AS
(
    SELECT *, min(step) OVER (PARTITION BY site, client, number, begin) AS crossed
    FROM so_far
    WHERE moved > allowed
)
SELECT
    site, step, toDateTime64(greatest(crossed, begin), 6, 'UTC') AS `from`,
    toDateTime64(if(until > 0, least(until, finish), least(step + 3600, finish)), 6, 'UTC') AS `to`,
    toString(client) AS subject,
    moved / allowed AS strength,
    map('bytes', moved, 'megabytes', round(moved / 1e6, 1), 'quota_megabytes', round(allowed / 1e6, 1),
        'share_of_quota', round(moved / allowed, 3)) AS inputs,
    map('group', if(`group` = '', 'no group', toString(`group`)), 'day', title,
        'service', concat(greatest_part.2, ' (', greatest_part.3, ')'),
        'until', formatDateTime(`to`, '%H:%i UTC'),
        'kinds', if(empty(kinds), 'all traffic', arrayStringConcat(kinds, ', ')),
        'clause', if(clause = '', '', concat(', clause ', clause))) AS texts,
    emptyArrayString() AS samples
FROM past
LEFT JOIN seen ON seen_site = site AND seen_hour = step
