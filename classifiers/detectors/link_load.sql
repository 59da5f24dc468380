-- title: Link above its usual load
-- class: bandwidth
-- states: {site} received {mbps} Mb/s from outside in {window} to {to}, {least_mbps} Mb/s and more in each five minutes of it. The
--   95th percentile of {days:day} before is {usual_mbps} Mb/s. Most by {hosts}.
-- states declared: {site} received {mbps} Mb/s from outside in {window} to {to}, {least_mbps} Mb/s and more in each five minutes
--   of it: {used_percent} % of the {link_mbps} Mb/s that its link has. Most by {hosts}.
-- subject: site
-- severity: low
-- clause: S9a, L K17
-- window: 30m
-- step: 5m
-- lookback: 30d
-- reads: link_5m, traffic_1m
-- rests_on: presence
-- parameter percentile: 0.95 | [K] | of the five-minute samples of the time before, as links are billed
-- parameter factor: 1.25 | [D] | how far above it all samples must be: one in twenty is above it at any time
-- parameter days_min: 7 | [D] | days with samples before that make a percentile
-- parameter mbps_min: 5 | [D] | megabits a second below which a link is not busy
-- parameter link_part: 0.9 | [D] | part of the declared speed (`link_mbps` of the site)
WITH
samples_ AS
(
    SELECT site, toDateTime(slot, 'UTC') AS at, sum(toFloat64(received)) * 8 / 300 / 1e6 AS mbps
    FROM link_5m
    WHERE slot >= {from:DateTime64(6, 'UTC')} AND slot < {to:DateTime64(6, 'UTC')}
    GROUP BY site, at
),
-- The site's own time before the piece at hand: the same whichever of its steps is asked for.
usual AS
(
    SELECT
        site AS usual_site, quantileExactInclusive({percentile:Float64})(mbps) AS percentile_mbps, uniqExact(toDate(at)) AS usual_days
    FROM samples_
    WHERE at < toDateTime({from:DateTime64(6, 'UTC')}, 'UTC') + toIntervalSecond({lookback:UInt32})
    GROUP BY usual_site
),
windows AS
(
    SELECT
        site, at, count() OVER w AS slots, avg(mbps) OVER w AS mean_mbps, min(mbps) OVER w AS least_mbps, min(at) OVER w AS begun
    FROM samples_
    WHERE at >= toDateTime({from:DateTime64(6, 'UTC')}, 'UTC') + toIntervalSecond({lookback:UInt32})
    WINDOW w AS (PARTITION BY site ORDER BY at RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
busy AS
(
    SELECT
        *,
        transform(site, {link_sites:Array(String)}, {link_mbps:Array(Float64)}, 0.) AS declared,
        if(declared > 0, declared * {link_part:Float64}, greatest(percentile_mbps * {factor:Float64}, {mbps_min:Float64})) AS bound
    FROM windows
    LEFT JOIN usual ON usual_site = site
    WHERE slots * {step:UInt32} >= {window:UInt32} AND (declared > 0 OR usual_days >= {days_min:Float64}) AND least_mbps > bound
),
hosts AS
(
    SELECT
        host_site, host_at,
        arrayStringConcat(arrayMap(h -> format('{0} {1} Mb/s', toString(h.2), toString(round(h.1 * 8 / {window:UInt32} / 1e6, 1))),
            arraySlice(arrayReverseSort(groupArray((down, client))), 1, 3)), ', ') AS hosts
    FROM
    (
        SELECT site AS host_site, busy_at AS host_at, client, sum(toFloat64(bytes_down)) AS down
        FROM traffic_1m
        INNER JOIN (SELECT site AS busy_site, at AS busy_at FROM busy) AS times ON busy_site = site
        WHERE minute >= toDateTime({from:DateTime64(6, 'UTC')}, 'UTC') + toIntervalSecond({lookback:UInt32})
            AND minute < {to:DateTime64(6, 'UTC')} AND site IN (SELECT site FROM busy)
            AND toDateTime(minute, 'UTC') >= busy_at - {before:UInt32} AND toDateTime(minute, 'UTC') < busy_at + {step:UInt32}
        GROUP BY host_site, host_at, client
    )
    GROUP BY host_site, host_at
)
SELECT
    site, at AS step, toDateTime64(begun, 6, 'UTC') AS `from`, toDateTime64(at + {step:UInt32}, 6, 'UTC') AS `to`,
    site AS subject, if(declared > 0, 'declared', '') AS variant,
    least_mbps / bound AS strength,
    map('mbps', round(mean_mbps, 1), 'least_mbps', round(least_mbps, 1), 'usual_mbps', round(percentile_mbps, 1),
        'days', toFloat64(usual_days), 'link_mbps', declared,
        'used_percent', if(declared > 0, round(mean_mbps / declared * 100), 0)) AS inputs,
    map('hosts', hosts) AS texts,
    emptyArrayString() AS samples
FROM busy
LEFT JOIN hosts ON host_site = site AND host_at = at
