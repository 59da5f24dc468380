-- title: Sustained rate above the allowance
-- class: bandwidth
-- states: {subject} ({group}) moved {megabytes} MB in {minutes:minute} to {to}, {mbps} Mb/s on average, the most by {service}. Its
--   allowance is {quota_mbps} Mb/s and bursts of {burst_megabytes} MB ({kinds}{clause}).
-- subject: host
-- severity: low
-- clause: S9a, L K17
-- window: 1h
-- step: 1m
-- lookback: 0s
-- reads: traffic_1m
-- needs flows: notEmpty({rate_quota_mbps:Array(Float64)})
-- rests_on: presence
WITH
arrayZip({rate_quota_groups:Array(String)}, {rate_quota_categories:Array(Array(String))}, {rate_quota_mbps:Array(Float64)},
    {rate_quota_bursts:Array(Float64)}, {rate_quota_clauses:Array(String)},
    arrayEnumerate({rate_quota_mbps:Array(Float64)})) AS quotas,
sums AS
(
    SELECT
        toDateTime(minute, 'UTC') AS at, site, client, `group`, service, category, name_source,
        toFloat64(bytes_up) + toFloat64(bytes_down) AS bytes
    FROM traffic_1m
    WHERE minute >= {from:DateTime64(6, 'UTC')} AND minute < {to:DateTime64(6, 'UTC')}
        AND notEmpty({rate_quota_mbps:Array(Float64)})
),
-- The least that any of the rates calls too much.
suspects AS
(
    SELECT site, client FROM sums
    GROUP BY site, client
    HAVING sum(bytes) > arrayMin({rate_quota_bursts:Array(Float64)}) * 1e6
),
minutes AS
(
    SELECT
        at, site, client, quota.6 AS number, min(`group`) AS `group`, min(quota.2) AS kinds, min(quota.3) AS mbps,
        min(quota.4) AS burst, min(quota.5) AS clause, sum(bytes) AS minute_bytes,
        max((bytes, if(service != '', toString(service), if(category != '', toString(category), 'no service known')),
            toString(name_source))) AS most
    FROM sums
    ARRAY JOIN quotas AS quota
    WHERE (site, client) IN (SELECT site, client FROM suspects)
        AND (quota.1 = '*' OR quota.1 = `group`) AND (empty(quota.2) OR has(quota.2, category))
        AND NOT has({sanctioned_services:Array(String)}, service)
    GROUP BY at, site, client, number
),
-- What is left of the bytes after the rate took its part, since the range began: a bucket of tokens that was full
-- at the time from which on most was taken is empty where the rise since then is greater than the bucket.
levels AS
(
    SELECT
        *,
        sum(minute_bytes) OVER (PARTITION BY site, client, number ORDER BY at) AS taken,
        taken - minute_bytes - mbps * 125000 * dateDiff('second', {from:DateTime64(6, 'UTC')}, at) AS before,
        taken - mbps * 125000 * (dateDiff('second', {from:DateTime64(6, 'UTC')}, at) + 60) AS after
    FROM minutes
),
windows AS
(
    SELECT
        *,
        argMin((at, taken - minute_bytes), (before, at)) OVER w AS begun,
        after - min(before) OVER w AS excess,
        max(most) OVER w AS greatest_part
    FROM levels
    WINDOW w AS (PARTITION BY site, client, number ORDER BY at RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, at AS step, toDateTime64(begun.1, 6, 'UTC') AS `from`, toDateTime64(at + 60, 6, 'UTC') AS `to`,
    toString(client) AS subject,
    excess / (burst * 1e6) AS strength,
    map('bytes', taken - begun.2, 'megabytes', round((taken - begun.2) / 1e6, 1),
        'minutes', toFloat64(dateDiff('minute', begun.1, at) + 1),
        'mbps', round((taken - begun.2) * 8 / 1e6 / (dateDiff('second', begun.1, at) + 60), 2),
        'quota_mbps', mbps, 'burst_megabytes', round(burst, 1), 'excess_megabytes', round(excess / 1e6, 1)) AS inputs,
    map('group', if(`group` = '', 'no group', toString(`group`)),
        'service', concat(greatest_part.2, ' (', greatest_part.3, ')'),
        'kinds', if(empty(kinds), 'all traffic', arrayStringConcat(kinds, ', ')),
        'clause', if(clause = '', '', concat(', clause ', clause))) AS texts,
    emptyArrayString() AS samples
FROM windows
WHERE excess > burst * 1e6
