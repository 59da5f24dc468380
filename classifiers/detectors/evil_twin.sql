-- title: Our wireless network from an unknown access point
-- class: equipment
-- states: {subject} announced the wireless network "{ssid}" on channel {channels} ({security}) in {window} to {to}. The network is
--   ours; the access point is on no list of access points.{maker}
-- states unlisted: {subject} announced the wireless network "{ssid}" on channel {channels} ({security}) in {window} to {to}, and so
--   did {others:other access point} of other makers; no list says which of them are ours.{maker}
-- subject: device
-- severity: high
-- clause: S9d, L K17
-- window: 1h
-- step: 1m
-- lookback: 0s
-- reads: sightings
-- rests_on: presence
-- parameter announcements: 1 | [K] | different beacons or probe responses (IEEE 802.11-2020, 9.3.3)
WITH
steps AS
(
    SELECT
        site, mac, lower(trimBoth(value)) AS folded,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_count, max(value) AS step_ssid,
        arraySlice(arraySort(groupUniqArrayIf(attributes['channel'], attributes['channel'] != '')), 1, 5) AS step_channels,
        arraySlice(arraySort(groupUniqArray(attributes['security'])), 1, 5) AS step_security,
        max(trimBoth(concat(attributes['manufacturer'], ' ', attributes['model']))) AS step_maker,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, source, mac, value, attributes)) AS samples
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source = 'beacon' AND value != ''
        -- Letters of the other case and spaces around look the same to a person.
        AND has(arrayMap(s -> lower(trimBoth(s)), {ssids:Array(String)}), folded)
        AND NOT has({access_point_macs:Array(UInt64)}, mac)
    GROUP BY site, mac, folded, step
),
windows AS
(
    SELECT
        site, mac, folded, step, samples,
        sum(step_count) OVER w AS told, max(step_ssid) OVER w AS ssid, max(step_maker) OVER w AS maker,
        groupUniqArrayArray(step_channels) OVER w AS channels,
        groupUniqArrayArray(step_security) OVER w AS security,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`,
        groupUniqArray(mac) OVER (PARTITION BY site, folded ORDER BY step
            RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW) AS around
    FROM steps
    WINDOW w AS (PARTITION BY site, mac, folded ORDER BY step RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
compared AS
(
    -- The maker stands in the first three bytes, but for the bits that radios with several networks change.
    SELECT
        *,
        arrayMap(m -> bitAnd(bitShiftRight(m, 24), 0xFDFFFF), around) AS makers,
        bitAnd(bitShiftRight(mac, 24), 0xFDFFFF) AS own,
        length(arrayFilter(m -> m = own, makers)) AS alike,
        length(makers) - alike AS others
    FROM windows
)
SELECT
    site, step, `from`, `to`, toString(mac) AS subject,
    if(empty({access_point_macs:Array(UInt64)}), 'unlisted', '') AS variant,
    toFloat64(told) AS strength,
    map('announcements_seen', toFloat64(told), 'others', toFloat64(others)) AS inputs,
    map(
        'mac', MACNumToString(mac), 'ssid', left(ssid, 64),
        'channels', if(empty(channels), 'unknown', arrayStringConcat(arraySlice(arraySort(channels), 1, 5), ', ')),
        'security', arrayStringConcat(arraySlice(arraySort(security), 1, 5), ' and '),
        'maker', if(maker = '', '', ' It says that it is a ' || left(maker, 80) || '.')) AS texts,
    if(variant = '', 95, 60) AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM compared
-- Without a list: the odd one out among access points of one maker.
WHERE told >= {announcements:Float64} AND (variant = '' OR (others > alike AND arrayMax(arrayMap(m -> countEqual(makers, m), makers)) > alike))
