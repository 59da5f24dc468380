-- title: Streaming above its share of the link
-- class: bandwidth
-- states: {subject} ({group}) took {share_percent} % of what the site received in {window} to {to} by {services}: {mbps} Mb/s on
--   average, {peak_mbps} Mb/s in the busiest minute, {megabytes} MB. Its share is {allowed_percent} %.
-- subject: host
-- severity: medium
-- clause: S9a, L K17
-- window: 5m
-- step: 1m
-- lookback: 0s
-- reads: traffic_1m
-- needs flows: notEmpty({quota_groups:Array(String)}) OR hasAny(categories, ['streaming_video', 'streaming_music'])
-- rests_on: presence
-- parameter link_share: 0.25 | [D] | part of the site's received bytes, where the policy has no quota with a share
-- parameter mbps_min: 1 | [D] | mean megabits a second below which no share matters
WITH
if(empty({quota_groups:Array(String)}),
    [tuple('*', ['streaming_video', 'streaming_music'], {link_share:Float64})],
    arrayZip({quota_groups:Array(String)}, {quota_categories:Array(Array(String))}, {quota_shares:Array(Float64)})) AS quotas,
minutes AS
(
    SELECT
        toDateTime(t.minute) AS minute, site, client, min(t.`group`) AS `group`, quota.2 AS kinds, quota.3 AS allowed,
        sum(t.bytes_down) AS down,
        groupUniqArray(format('{0} ({1})', multiIf(service != '', toString(service), category != '', toString(category),
            'no service known'), toString(name_source))) AS minute_services
    FROM traffic_1m AS t
    ARRAY JOIN quotas AS quota
    WHERE t.minute >= {from:DateTime64(6, 'UTC')} AND t.minute < {to:DateTime64(6, 'UTC')}
        AND (quota.1 = '*' OR quota.1 = t.`group`) AND (empty(quota.2) OR has(quota.2, category))
        AND NOT has({sanctioned_services:Array(String)}, service)
    GROUP BY minute, site, client, kinds, allowed
),
received AS
(
    SELECT
        site AS all_site, minute AS all_minute,
        sum(down) OVER (PARTITION BY site ORDER BY minute
            RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW) AS all_down
    FROM
    (
        SELECT site, toDateTime(t.minute) AS minute, sum(bytes_down) AS down FROM traffic_1m AS t
        WHERE t.minute >= {from:DateTime64(6, 'UTC')} AND t.minute < {to:DateTime64(6, 'UTC')}
        GROUP BY site, minute
    )
),
windows AS
(
    SELECT
        minute, site, client, `group`, allowed,
        sum(down) OVER w AS window_down,
        max(down) OVER w AS peak_down,
        groupUniqArrayArray(minute_services) OVER w AS services,
        min(minute) OVER w AS `from`
    FROM minutes
    WINDOW w AS (PARTITION BY site, client, kinds, allowed ORDER BY minute
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
shares AS
(
    SELECT *, window_down / all_down AS share, window_down * 8 / {window:UInt32} / 1e6 AS mbps
    FROM windows
    INNER JOIN received ON all_site = site AND all_minute = minute
    WHERE all_down > 0
)
SELECT
    site, minute AS step, toDateTime64(`from`, 6, 'UTC') AS `from`,
    toDateTime64(minute, 6, 'UTC') + toIntervalSecond({step:UInt32}) AS `to`,
    toString(client) AS subject,
    -- Of the windows above the share, the one that carried most.
    mbps / {mbps_min:Float64} AS strength,
    map('share', share, 'share_percent', round(share * 100, 1), 'allowed_percent', round(allowed * 100, 1), 'mbps', round(mbps, 2),
        'peak_mbps', round(peak_down * 8 / 60 / 1e6, 2), 'bytes', toFloat64(window_down),
        'megabytes', round(window_down / 1e6, 1), 'site_bytes', toFloat64(all_down)) AS inputs,
    map('group', if(`group` = '', 'no group', toString(`group`)), 'services', arrayStringConcat(arraySlice(arraySort(services), 1, 5), ', ')) AS texts,
    emptyArrayString() AS samples
FROM shares
WHERE share > allowed AND mbps >= {mbps_min:Float64}
