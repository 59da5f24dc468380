-- title: Neighbour sweep over IPv6
-- class: scanning
-- states: {subject} ({mac}) asked by neighbour solicitations for {tried:neighbour} that did not answer, in {window} to {to}.
-- states everybody: {subject} ({mac}) asked all IPv6 neighbours at once, by an echo request to {group}, and {tried:host}
--   answered, in {window} to {to}.
-- subject: host
-- severity: medium
-- clause: S9, L K15
-- window: 5m
-- step: 30s
-- lookback: 7d
-- reads: sightings, flows
-- needs sightings: source = 'ndp' AND attributes['op'] = 'solicitation'
-- needs flows: protocol = 58 AND client_port = 128
-- rests_on: absence
-- parameter targets: 50 | [D] | neighbours asked for that did not answer
-- parameter answers: 3 | [D] | hosts that answer one who asked all at once
-- parameter router_addresses: 8 | [D] | addresses before which a MAC is a router's
WITH
asked AS
(
    SELECT
        site, vlan, mac, ip, ts, value,
        tuple(ts, vlan, source, ip, value) AS sample
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND ts < {to:DateTime64(6, 'UTC')}
        AND source = 'ndp' AND attributes['op'] = 'solicitation'
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
        AND ts < {to:DateTime64(6, 'UTC')} AND source = 'ndp'
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
    UNION DISTINCT
    SELECT DISTINCT mac FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) - INTERVAL 1 HOUR
        AND ts < {to:DateTime64(6, 'UTC')} AND source = 'ra'
),
steps AS
(
    SELECT
        site, mac AS device, mac AS shown, ip, '' AS variant, toIPv6('::') AS all_nodes, toUInt64(1) AS called,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        uniqState(value) AS targets_state,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(toJSONString(sample)) AS samples
    FROM asked
    WHERE mac IN (SELECT mac FROM suspects) AND mac NOT IN (SELECT mac FROM routers)
        AND (site, vlan, toIPv6OrDefault(value)) NOT IN (SELECT site, vlan, ip FROM alive)
    GROUP BY site, mac, ip, step
    UNION ALL
    -- The request went to a group, so each answer is a flow of its own, without a question (RFC 4443, 4.2).
    SELECT
        -- The device of an answer is not seen.
        site, toUInt64(0) AS device, max(client_mac) AS shown, client AS ip, 'everybody' AS variant,
        max(if(server >= toIPv6('ff00::'), server, toIPv6('::'))) AS all_nodes,
        countIf(server >= toIPv6('ff00::')) AS called,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        uniqStateIf(toString(server), server < toIPv6('ff00::')) AS targets_state,
        min(start) AS seen, max(start) AS seen_last,
        groupArraySorted(10)(toJSONString(CAST(tuple(start, client, server, client_port, packets_up, packets_down, sensor, flow_id),
            'Tuple(start DateTime64(6, ''UTC''), client IPv6, server IPv6, client_port UInt16, packets_up UInt32, packets_down UInt32, sensor String, flow_id UInt64)'))) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
        AND start < {to:DateTime64(6, 'UTC')}
        AND protocol = 58 AND client_port = 128
        AND (server >= toIPv6('ff00::') AND packets_up > 0
            OR server < toIPv6('ff00::') AND packets_up = 0 AND packets_down > 0)
        AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
    GROUP BY site, ip, step
),
windows AS
(
    SELECT
        site, ip, variant, step,
        max(shown) OVER w AS mac,
        arraySlice(arraySort(groupArrayArray(samples) OVER w), 1, 10) AS samples,
        uniqMerge(targets_state) OVER w AS tried,
        sum(called) OVER w AS calls,
        max(all_nodes) OVER w AS `group`,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`,
        if(variant = '', {targets:Float64}, {answers:Float64}) AS needed
    FROM steps
    WINDOW w AS (PARTITION BY site, device, ip, variant ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, variant,
    if(ip = toIPv6('::'), 'device', 'host') AS subject_kind,
    if(subject_kind = 'device', toString(mac), toString(ip)) AS subject,
    tried / needed AS strength,
    map('tried', toFloat64(tried)) AS inputs,
    map('mac', MACNumToString(mac), 'group', toString(`group`)) AS texts,
    samples
FROM windows
WHERE tried >= needed AND calls > 0
