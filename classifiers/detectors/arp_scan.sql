-- title: Neighbour sweep
-- class: scanning
-- states: {subject} ({mac}) asked by ARP for {tried:neighbour} that did not answer, in {window} to {to}.
-- subject: host
-- severity: medium
-- clause: S9, L K15
-- window: 1m
-- step: 10s
-- lookback: 15m
-- reads: sightings
-- rests_on: absence
-- parameter targets: 30 | [D] | neighbours asked for that did not answer
WITH
-- The same statement is sent once in ten minutes, so answers are looked for that much earlier.
alive AS
(
    SELECT DISTINCT site, vlan, ip FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')} AND source = 'arp'
),
steps AS
(
    SELECT
        site, mac, ip,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        uniqExactState(value) AS targets_state,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArray(10)(tuple(ts, vlan, source, ip, value)) AS samples
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source = 'arp' AND attributes['op'] NOT IN ('2', 'reply')
        AND (site, vlan, toIPv6OrDefault(value)) NOT IN (SELECT site, vlan, ip FROM alive)
        -- A router looks for every neighbour that somebody outside asks for.
        AND NOT has({approved_routers:Array(IPv6)}, ip) AND NOT has({router_macs:Array(UInt64)}, mac)
        AND NOT arrayExists((a, b) -> ip BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
    GROUP BY site, mac, ip, step
),
windows AS
(
    SELECT
        site, mac, ip, step, samples,
        uniqExactMerge(targets_state) OVER w AS tried,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, mac, ip ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`,
    if(ip IN (toIPv6('::'), toIPv6('0.0.0.0')), 'device', 'host') AS subject_kind,
    if(subject_kind = 'device', toString(mac), toString(ip)) AS subject,
    tried / {targets:Float64} AS strength,
    map('tried', toFloat64(tried)) AS inputs,
    map('mac', MACNumToString(mac)) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE tried >= {targets:Float64}
