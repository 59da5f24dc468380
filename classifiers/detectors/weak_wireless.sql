-- title: Our wireless network with weaker security
-- class: equipment
-- states: {subject} announced the wireless network "{ssid}" as {security} in {window} to {to}, on channel {channels}; access points
--   of that network otherwise announce {expected}. Who joins it there shows more than elsewhere.
-- subject: device
-- severity: high
-- clause: S9d, L K17
-- window: 1h
-- step: 1m
-- lookback: 0s
-- reads: sightings
-- rests_on: presence
-- parameter announcements: 1 | [K] | different beacons or probe responses with weaker security
WITH
-- Kinds of protection, the weakest first: none (OWE asks nobody who he is, RFC 8110), WEP, the first WPA, a password, an
-- account. Bands differ within a kind: on 6 GHz there is no WPA2 (Wi-Fi Alliance, WPA3 Specification).
beacons AS
(
    SELECT
        site, ts, source, mac, value, lower(trimBoth(value)) AS folded, attributes,
        arrayMax(arrayMap(word -> multiIf(word IN ('open', 'owe'), 1, word = 'wep', 2, word IN ('wpa-psk', 'wpa-enterprise'), 3,
            word IN ('wpa2-psk', 'wpa3-sae'), 4, word IN ('wpa2-enterprise', 'wpa3-enterprise'), 5, 0),
            splitByChar(',', attributes['security']))) AS kind
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source = 'beacon' AND has(arrayMap(s -> lower(trimBoth(s)), {ssids:Array(String)}), folded)
        AND kind > 0
),
steps AS
(
    SELECT
        site, folded, mac, kind,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_count, max(value) AS step_ssid,
        arraySlice(arraySort(groupUniqArrayIf(attributes['channel'], attributes['channel'] != '')), 1, 5) AS step_channels,
        arraySlice(arraySort(groupUniqArray(attributes['security'])), 1, 5) AS step_security,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, source, mac, value, attributes)) AS samples
    FROM beacons
    GROUP BY site, folded, mac, kind, step
),
windows AS
(
    SELECT
        site, folded, mac, kind, step, samples,
        sum(step_count) OVER w AS told, max(step_ssid) OVER w AS ssid,
        groupUniqArrayArray(step_channels) OVER w AS channels,
        groupUniqArrayArray(step_security) OVER w AS security,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`,
        -- What approved access points announce; without a list, the strongest of all.
        maxIf(kind, empty({access_point_macs:Array(UInt64)}) OR has({access_point_macs:Array(UInt64)}, mac)) OVER n AS usual,
        groupUniqArrayArray(step_security) OVER n AS around
    FROM steps
    WINDOW w AS (PARTITION BY site, folded, mac, kind ORDER BY step RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW),
        n AS (PARTITION BY site, folded ORDER BY step RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(mac) AS subject,
    toFloat64(usual - kind) + told / 1000. AS strength,
    map('announcements_seen', toFloat64(told), 'kind', toFloat64(kind), 'usual_kind', toFloat64(usual)) AS inputs,
    map(
        'mac', MACNumToString(mac), 'ssid', left(ssid, 64),
        'channels', if(empty(channels), 'unknown', arrayStringConcat(arraySlice(arraySort(channels), 1, 5), ', ')),
        'security', arrayStringConcat(arraySlice(arraySort(security), 1, 5), ' and '),
        'expected', arrayStringConcat(arraySlice(arraySort(arrayFilter(s -> NOT has(security, s), around)), 1, 5), ' or ')) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE told >= {announcements:Float64} AND kind < usual
