-- title: Neighbour sweep
-- class: scanning
-- states: {subject} ({mac}) asked by ARP for {tried:neighbour} that did not answer, in {window} to {to}.
-- subject: host
-- severity: medium
-- clause: S9, L K15
-- window: 1m
-- step: 10s
-- lookback: 7d
-- reads: sightings, flows
-- needs sightings: source = 'arp' AND attributes['op'] NOT IN ('2', 'reply')
-- needs flows: false
-- rests_on: absence
-- parameter targets: 30 | [D] | neighbours asked for that did not answer
-- parameter router_addresses: 8 | [D] | addresses before which a MAC is a router's
WITH
asked AS
(
    SELECT
        site, vlan, mac, ip, ts, value,
        tuple(ts, vlan, source, ip, value) AS sample
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND ts < {to:DateTime64(6, 'UTC')}
        AND source = 'arp' AND attributes['op'] NOT IN ('2', 'reply')
        -- Who tells his own address asks for nobody.
        AND toIPv6OrDefault(value) != ip
        -- A router looks for every neighbour that somebody outside asks for.
        AND NOT has({approved_routers:Array(IPv6)}, ip) AND NOT has({router_macs:Array(UInt64)}, mac)
        AND NOT arrayExists((a, b) -> ip BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
),
suspects AS
(
    SELECT mac FROM asked GROUP BY mac HAVING uniq(value) >= {targets:Float64}
),
-- The same statement is sent once in ten minutes, so answers are looked for that much earlier.
alive AS
(
    SELECT DISTINCT site, vlan, ip FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) - INTERVAL 15 MINUTE
        AND ts < {to:DateTime64(6, 'UTC')} AND source = 'arp'
    UNION DISTINCT
    -- A computer that is off answers nobody, and is looked for all the same.
    SELECT DISTINCT site, vlan, client AS ip FROM hosts_1h
    WHERE hour >= {from:DateTime64(6, 'UTC')} AND hour < {to:DateTime64(6, 'UTC')}
        AND client IN (SELECT toIPv6OrDefault(value) FROM asked)
),
routers AS
(
    SELECT client_mac AS mac FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) - INTERVAL 15 MINUTE
        AND start < {to:DateTime64(6, 'UTC')}
        AND client_mac IN (SELECT mac FROM suspects)
    GROUP BY client_mac HAVING uniq(client) > {router_addresses:Float64}
),
steps AS
(
    SELECT
        site, mac, ip,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        uniqState(value) AS targets_state,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(sample) AS samples
    FROM asked
    WHERE mac IN (SELECT mac FROM suspects) AND mac NOT IN (SELECT mac FROM routers)
        AND (site, vlan, toIPv6OrDefault(value)) NOT IN (SELECT site, vlan, ip FROM alive)
    GROUP BY site, mac, ip, step
),
windows AS
(
    SELECT
        site, mac, ip, step,
        arraySlice(arraySort(groupArrayArray(samples) OVER w), 1, 10) AS samples,
        uniqMerge(targets_state) OVER w AS tried,
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
