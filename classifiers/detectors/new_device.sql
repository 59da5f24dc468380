-- title: Device that is not in the inventory
-- class: equipment
-- states: {subject} (VLAN {vlan}{place}{name}) was first seen at {from}. Its MAC is its maker's own and stands in no inventory
--   of the policy.
-- states many: {devices:device} that stand in no inventory of the policy were first seen in {window} to {to}: an inventory that is
--   not complete, or new equipment. The first of them: {firsts}. Made-up MACs, which phones take on, by VLAN: {random}.
-- subject: device
-- severity: low
-- clause: S9d, L K17
-- window: 1h
-- step: 5m
-- lookback: 7d
-- reads: sightings
-- rests_on: presence
-- parameter many: 20 | [D] | new devices of a site in a window past which they are one finding
WITH
-- Without an inventory every device is unknown, and that is no news.
known AS (SELECT mac FROM inventory WHERE at < {to:DateTime64(6, 'UTC')} GROUP BY mac HAVING argMax(present, (at, present)) = 1),
spoken AS
(
    SELECT site, vlan, ts, source, mac, ip, name, value
    FROM sightings
    WHERE ts >= {since:DateTime64(6, 'UTC')} - toIntervalSecond({before:UInt32}) AND ts < {to:DateTime64(6, 'UTC')}
        AND source IN ('arp', 'dhcp_request') AND mac != 0
        -- Who speaks for another says nothing of himself.
        AND attributes['sent_by'] = '' AND (SELECT count() FROM known) > 0
),
candidates AS
(
    SELECT
        site, mac, min(ts) AS since_first, argMin(vlan, (ts, vlan)) AS vlan, max(name) AS name,
        bitTest(mac, 41) AS made_up,
        groupArraySorted(3)(tuple(ts, vlan, source, mac, ip, name, value)) AS samples
    FROM spoken
    -- Neither groups nor addresses that routers share.
    WHERE NOT bitTest(mac, 40)
        AND NOT (bitShiftRight(mac, 8) IN (0x00005E0001, 0x00005E0002, 0x00000C07AC, 0x0007B400) OR bitShiftRight(mac, 12) IN (0x00000C9FF, 0x000573A00))
        AND mac NOT IN (SELECT mac FROM known)
        AND NOT has({router_macs:Array(UInt64)}, mac) AND NOT has({access_point_macs:Array(UInt64)}, mac)
        AND NOT has({switch_macs:Array(UInt64)}, mac)
    GROUP BY site, mac
),
earlier AS
(
    SELECT DISTINCT site, mac FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {since:DateTime64(6, 'UTC')} - toIntervalSecond({before:UInt32})
        AND source IN ('arp', 'dhcp_request') AND mac IN (SELECT mac FROM candidates)
),
-- A dock or adapter has a MAC of its own, the computer behind it the name that it always has.
named AS
(
    SELECT lower(splitByChar('.', name)[1]) AS host FROM inventory
    WHERE at < {to:DateTime64(6, 'UTC')} AND name != ''
    UNION DISTINCT
    SELECT lower(splitByChar('.', name)[1]) FROM spoken WHERE source = 'dhcp_request' AND name != '' AND mac IN (SELECT mac FROM known)
),
fresh AS
(
    SELECT *, toStartOfInterval(since_first, toIntervalSecond({step:UInt32})) AS step
    FROM candidates
    WHERE (site, mac) NOT IN (SELECT site, mac FROM earlier)
        AND (name = '' OR lower(splitByChar('.', name)[1]) NOT IN (SELECT host FROM named))
),
steps AS
(
    SELECT site, step, countIf(NOT made_up) AS step_devices, min(since_first) AS seen, max(since_first) AS seen_last,
        arraySlice(arraySort(groupArrayIf((since_first, mac), NOT made_up)), 1, 10) AS step_firsts,
        arraySort(groupUniqArrayIf((vlan, mac), made_up)) AS step_random
    FROM fresh GROUP BY site, step
),
windows AS
(
    SELECT
        site, step,
        sum(step_devices) OVER w AS devices,
        min(seen) OVER w AS `from`, max(seen_last) OVER w AS `to`,
        arraySlice(arraySort(groupArrayArray(step_firsts) OVER w), 1, 10) AS firsts,
        arrayMap(r -> r.1, groupUniqArrayArray(step_random) OVER w) AS random_vlans
    FROM steps
    WINDOW w AS (PARTITION BY site ORDER BY step RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
crowded AS (SELECT site FROM windows WHERE devices > {many:Float64})
SELECT
    site, step, `from`, `to`, 'site' AS subject_kind, site AS subject, 'many' AS variant,
    devices / {many:Float64} AS strength,
    map('devices', toFloat64(devices), 'made_up', toFloat64(length(random_vlans))) AS inputs,
    map(
        'firsts', arrayStringConcat(arrayMap(f -> MACNumToString(f.2), arraySlice(firsts, 1, 5)), ', '),
        'random', if(empty(random_vlans), 'none', arrayStringConcat(arrayMap(v -> concat(toString(countEqual(random_vlans, v)), ' in VLAN ', toString(v)), arraySort(arrayDistinct(random_vlans))), ', '))) AS texts,
    arrayMap(f -> toJSONString(tuple(f.1, f.2)), firsts) AS samples
FROM windows
WHERE devices > {many:Float64}
UNION ALL
SELECT
    f.site AS site, f.step AS step, since_first AS `from`, since_first AS `to`, 'device' AS subject_kind, toString(mac) AS subject, '' AS variant,
    1. AS strength,
    map('devices', toFloat64(devices), 'made_up', toFloat64(length(random_vlans))) AS inputs,
    map('mac', MACNumToString(mac), 'vlan', toString(vlan), 'name', if(name = '', '', ', calls itself ' || left(name, 64))) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM fresh AS f INNER JOIN windows AS w ON f.site = w.site AND f.step = w.step
WHERE f.site NOT IN (SELECT site FROM crowded) AND NOT made_up
