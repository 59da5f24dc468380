-- title: Quota of a lesson exceeded
-- class: bandwidth
-- states: {subject} ({group}) moved {megabytes} MB in the lesson of {lesson} (local time) until {until}, its quota for
--   a lesson is {quota_megabytes} MB ({kinds}{clause}). The most by {service}.
-- subject: host
-- severity: low
-- clause: S9a, L K17
-- window: 5m
-- step: 5m
-- lookback: 2h
-- reads: traffic_1m
-- needs flows: notEmpty({lesson_quota_bytes:Array(Float64)})
-- rests_on: presence
WITH
arrayZip({lesson_quota_groups:Array(String)}, {lesson_quota_categories:Array(Array(String))},
    {lesson_quota_bytes:Array(Float64)}, {lesson_quota_clauses:Array(String)},
    arrayEnumerate({lesson_quota_bytes:Array(Float64)})) AS quotas,
lessons AS
(
    SELECT
        lesson.1 AS lesson_site, toDateTime(lesson.2, 'UTC') AS begin, toDateTime(lesson.3, 'UTC') AS finish, lesson.4 AS title
    FROM
    (
        SELECT arrayJoin(arrayZip({lesson_sites:Array(String)}, {lesson_from:Array(Int64)}, {lesson_to:Array(Int64)},
            {lesson_titles:Array(String)})) AS lesson
    )
),
sums AS
(
    SELECT
        toDateTime(minute, 'UTC') AS at, site, client, `group`, service, category, name_source,
        toFloat64(bytes_up) + toFloat64(bytes_down) AS bytes
    FROM traffic_1m
    WHERE minute >= {from:DateTime64(6, 'UTC')} AND minute < {to:DateTime64(6, 'UTC')}
        AND notEmpty({lesson_quota_bytes:Array(Float64)})
),
suspects AS
(
    SELECT site, client FROM sums
    GROUP BY site, client
    HAVING sum(bytes) > arrayMin({lesson_quota_bytes:Array(Float64)})
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
steps AS
(
    SELECT
        site, client, number, begin, min(title) AS title, toStartOfInterval(at, toIntervalSecond({step:UInt32})) AS step,
        max(at) + 60 AS until, min(`group`) AS `group`, min(kinds) AS kinds, min(allowed) AS allowed, min(clause) AS clause,
        sum(bytes) AS step_bytes, max((bytes, what, name_source)) AS step_part
    FROM counted
    INNER JOIN lessons ON lesson_site = site
    WHERE at >= begin AND at < finish
    GROUP BY site, client, number, begin, step
),
so_far AS
(
    SELECT *, sum(step_bytes) OVER w AS moved, max(step_part) OVER w AS greatest_part
    FROM steps
    WINDOW w AS (PARTITION BY site, client, number, begin ORDER BY step)
),
past AS
(
    SELECT *, min(step) OVER (PARTITION BY site, client, number, begin) AS crossed
    FROM so_far
    WHERE moved > allowed
)
SELECT
    site, step, toDateTime64(greatest(crossed, begin), 6, 'UTC') AS `from`, toDateTime64(until, 6, 'UTC') AS `to`,
    toString(client) AS subject,
    moved / allowed AS strength,
    map('bytes', moved, 'megabytes', round(moved / 1e6, 1), 'quota_megabytes', round(allowed / 1e6, 1),
        'share_of_quota', round(moved / allowed, 3)) AS inputs,
    map('group', if(`group` = '', 'no group', toString(`group`)), 'lesson', title,
        'service', concat(greatest_part.2, ' (', greatest_part.3, ')'),
        'until', formatDateTime(until, '%H:%i UTC'),
        'kinds', if(empty(kinds), 'all traffic', arrayStringConcat(kinds, ', ')),
        'clause', if(clause = '', '', concat(', clause ', clause))) AS texts,
    emptyArrayString() AS samples
FROM past
