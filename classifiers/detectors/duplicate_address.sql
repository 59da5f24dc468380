-- title: Two devices with one address
-- class: equipment
-- states: {subject} (VLAN {vlan}) was claimed by {macs} in turn in {window} to {to}, {changed} changes in all: both are on the wire
--   with one address, or one of them answers for the other.
-- subject: host
-- severity: low
-- clause: S9d, L K17
-- window: 30m
-- step: 1m
-- lookback: 0s
-- reads: sightings
-- rests_on: presence
-- parameter changes: 3 | [D] | changes from one MAC to another and back
-- parameter proxied: 8 | [D] | addresses of one MAC past which it answers for others
WITH
claims AS
(
    SELECT site, vlan, ts, source, mac, ip, value, attributes
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source = 'arp' AND mac != 0 AND toString(ip) NOT IN ('::', '::ffff:0.0.0.0')
        -- Those of routers are told by gateway_takeover.
        AND NOT has({approved_routers:Array(IPv6)}, ip) AND NOT has({router_macs:Array(UInt64)}, mac)
        AND arrayExists((a, b) -> ip BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT (bitShiftRight(mac, 8) IN (0x00005E0001, 0x00005E0002, 0x00000C07AC, 0x0007B400) OR bitShiftRight(mac, 12) IN (0x00000C9FF, 0x000573A00))
),
contested AS (SELECT site, vlan, ip FROM claims GROUP BY site, vlan, ip HAVING uniqExact(mac) >= 2),
proxies AS (SELECT mac FROM claims GROUP BY mac HAVING uniqExact(ip) > {proxied:Float64}),
steps AS
(
    SELECT
        site, vlan, ip,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        arraySort(groupArray((ts, mac))) AS step_claims,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, vlan, source, mac, ip, value, attributes)) AS samples
    FROM claims
    WHERE (site, vlan, ip) IN (SELECT site, vlan, ip FROM contested) AND mac NOT IN (SELECT mac FROM proxies)
    GROUP BY site, vlan, ip, step
),
windows AS
(
    SELECT
        site, vlan, ip, step, samples,
        arrayMap(c -> c.2, arraySort(groupArrayArray(step_claims) OVER w)) AS speakers,
        arrayCount((a, b) -> a != b, arrayPopBack(speakers), arrayPopFront(speakers)) AS changed,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, vlan, ip ORDER BY step RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(ip) AS subject,
    changed / {changes:Float64} AS strength,
    map('changed', toFloat64(changed), 'devices', toFloat64(length(arrayDistinct(speakers)))) AS inputs,
    map(
        'vlan', toString(vlan),
        'macs', arrayStringConcat(arrayMap(m -> MACNumToString(m), arraySlice(arraySort(arrayDistinct(speakers)), 1, 5)), ' and ')) AS texts,
    75 AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE changed >= {changes:Float64}
