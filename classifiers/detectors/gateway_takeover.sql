-- title: Another device answers as the gateway
-- class: equipment
-- states: {subject} (VLAN {vlan}{place}) said {claims:time} in {window} to {to} that it has {addresses}, which are approved routers'.
--   {known} says so as well. What hosts send to the gateway may pass through {subject}.
-- subject: device
-- severity: high
-- clause: S9d, L K17
-- window: 10m
-- step: 1m
-- lookback: 1h
-- reads: sightings
-- rests_on: presence
-- parameter claims_min: 1 | [K] | different ARP messages or neighbour advertisements with a router's address
-- parameter changes: 3 | [D] | changes from one MAC to another and back, where the policy lists no MAC that has the address
WITH
claims AS
(
    SELECT
        site, vlan, ts, source, mac, ip, value, attributes,
        -- Addresses that routers share: VRRP (RFC 9568, 7.3), HSRP 1 and 2 and GLBP (Cisco).
        bitShiftRight(mac, 8) IN (0x00005E0001, 0x00005E0002, 0x00000C07AC, 0x0007B400) OR bitShiftRight(mac, 12) IN (0x00000C9FF, 0x000573A00) AS shared,
        shared OR has({router_macs:Array(UInt64)}, mac) AS known
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND (source = 'arp' OR (source = 'ndp' AND attributes['op'] IN ('advertisement', 'announcement')))
        AND has({approved_routers:Array(IPv6)}, ip) AND mac != 0
),
contested AS
(
    SELECT
        site, vlan, ip,
        arraySort(groupUniqArrayIf(mac, known)) AS meant,
        arrayMap(c -> c.2, arraySort(groupArray((ts, mac)))) AS speakers,
        arrayCount((a, b) -> a != b, arrayPopBack(speakers), arrayPopFront(speakers)) AS changed
    FROM claims
    GROUP BY site, vlan, ip
    HAVING uniqExact(mac) >= 2 AND (notEmpty(meant) OR changed >= {changes:Float64})
),
firsts AS
(
    -- Where no list tells, who spoke first is taken for the gateway.
    SELECT
        site, vlan, ip, meant, changed,
        if(empty(meant), [speakers[1]], meant) AS rightful
    FROM contested
),
steps AS
(
    SELECT
        claims.site AS site, claims.vlan AS vlan, mac,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_claims, max(changed) AS step_changed,
        arraySlice(arraySort(groupUniqArray(ip)), 1, 5) AS step_addresses,
        arraySlice(arraySort(groupUniqArrayArray(rightful)), 1, 5) AS step_rightful,
        uniqExactState(value) AS told_state,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, claims.vlan AS vlan, source, mac, claims.ip AS ip, value, attributes)) AS samples
    FROM claims INNER JOIN firsts ON claims.site = firsts.site AND claims.vlan = firsts.vlan AND claims.ip = firsts.ip
    WHERE NOT known AND NOT has(rightful, mac)
    GROUP BY site, vlan, mac, step
),
windows AS
(
    SELECT
        site, vlan, mac, step, samples,
        sum(step_claims) OVER w AS claims, max(step_changed) OVER w AS changed,
        uniqExactMerge(told_state) OVER w AS told,
        groupUniqArrayArray(step_addresses) OVER w AS addresses,
        groupUniqArrayArray(step_rightful) OVER w AS rightful,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, vlan, mac ORDER BY step RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(mac) AS subject,
    claims / {claims_min:Float64} AS strength,
    map('claims', toFloat64(claims), 'told', toFloat64(told), 'changed', toFloat64(changed)) AS inputs,
    map(
        'mac', MACNumToString(mac), 'vlan', toString(vlan),
        'addresses', arrayStringConcat(arrayMap(a -> toString(a), arraySlice(arraySort(addresses), 1, 5)), ', '),
        'known', arrayStringConcat(arrayMap(m -> MACNumToString(m), arraySlice(arraySort(rightful), 1, 5)), ', ')) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE claims >= {claims_min:Float64}
