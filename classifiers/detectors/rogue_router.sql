-- title: IPv6 router that is not approved
-- class: equipment
-- states: {subject} ({mac}, VLAN {vlan}{place}) announced itself as an IPv6 router in {window} to {to}: prefix {prefixes}; DNS
--   {dns}; preference {preference}; default router for {lifetime} s. Neither its address nor its MAC is on a list of routers.
-- states unlisted: {subject} ({mac}, VLAN {vlan}{place}) and {others:other device} announced themselves as IPv6 routers in {window}
--   to {to}; no list says which of them is meant to. It told: prefix {prefixes}; DNS {dns}; preference {preference}; default
--   router for {lifetime} s.
-- subject: host
-- severity: high
-- clause: S9d, L K17
-- window: 1h
-- step: 1m
-- lookback: 0s
-- reads: sightings
-- rests_on: presence
-- parameter advertisements: 1 | [K] | different router advertisements of one sender (RFC 4861, 4.2)
WITH
steps AS
(
    SELECT
        site, ip, mac, vlan,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_count,
        max(toUInt32OrZero(attributes['lease'])) AS step_lifetime,
        max(multiIf(has(splitByChar(',', attributes['flags']), 'high'), 3, has(splitByChar(',', attributes['flags']), 'low'), 1, 2)) AS step_preference,
        arraySlice(arraySort(groupUniqArrayIf(value, value != '')), 1, 5) AS step_prefixes,
        arraySlice(arraySort(groupUniqArrayIf(attributes['dns'], attributes['dns'] != '')), 1, 5) AS step_dns,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, vlan, source, mac, ip, value, attributes)) AS samples
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source = 'ra'
        AND NOT has({approved_routers:Array(IPv6)}, ip) AND NOT has({router_macs:Array(UInt64)}, mac)
        -- A router of a stub network (Thread's border routers) offers neither a way out nor a resolver, and a prefix
        -- of its own (RFC 4193) at most: draft-ietf-snac-simple.
        AND NOT (attributes['lease'] = '0' AND attributes['dns'] = '' AND match(value || ',' || attributes['prefix'], '^((f[cd][0-9a-f]{2}:[^,]*)?(,|$))*$'))
    GROUP BY site, ip, mac, vlan, step
),
windows AS
(
    SELECT
        site, ip, mac, vlan, step, samples,
        sum(step_count) OVER w AS told,
        max(step_lifetime) OVER w AS lifetime,
        max(step_preference) OVER w AS preference,
        groupUniqArrayArray(step_prefixes) OVER w AS prefixes,
        groupUniqArrayArray(step_dns) OVER w AS resolvers,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`,
        uniqExact(mac) OVER (PARTITION BY site, vlan ORDER BY step
            RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW) AS speakers
    FROM steps
    WINDOW w AS (PARTITION BY site, ip, mac, vlan ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(ip) AS subject,
    if(empty({approved_routers:Array(IPv6)}) AND empty({router_macs:Array(UInt64)}), 'unlisted', '') AS variant,
    toFloat64(told) AS strength,
    map('advertisements_seen', toFloat64(told), 'lifetime', toFloat64(lifetime), 'others', toFloat64(speakers - 1)) AS inputs,
    map(
        'mac', MACNumToString(mac), 'vlan', toString(vlan),
        'preference', ['low', 'medium', 'high'][preference],
        'prefixes', if(empty(prefixes), 'none', arrayStringConcat(arraySlice(arraySort(prefixes), 1, 5), ', ')),
        'dns', if(empty(resolvers), 'none', arrayStringConcat(arraySlice(arraySort(resolvers), 1, 5), ', '))) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE told >= {advertisements:Float64} AND (variant = '' OR speakers >= 2)
