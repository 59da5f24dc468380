-- title: Address sharing
-- class: equipment
-- states: {shared} of {flows:flow} of {subject} ({mac}) came with TTL {ttls} in {window} to {to}: one hop less than systems
--   send, as behind a router or hotspot. Its MAC stands before {addresses:address} and is on no list of routers.
-- subject: host
-- severity: medium
-- clause: S9d, L K17
-- window: 10m
-- step: 1m
-- lookback: 0s
-- reads: flows, sightings
-- rests_on: presence
-- parameter flows_min: 3 | [D] | flows with such a TTL
-- parameter router_addresses: 8 | [D] | addresses before which a MAC is a router's
WITH
suspects AS
(
    SELECT client_mac AS mac FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND ttl_up_max IN (63, 127, 254) AND client_mac != 0
    GROUP BY client_mac HAVING uniqExact(flow_id) >= {flows_min:Float64}
),
routers AS
(
    SELECT client_mac AS mac FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND client_mac IN (SELECT mac FROM suspects)
    GROUP BY client_mac HAVING uniq(client) > {router_addresses:Float64}
    UNION DISTINCT
    SELECT DISTINCT mac FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND has({approved_routers:Array(IPv6)}, ip)
),
steps AS
(
    SELECT
        site, client, client_mac,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        uniqExactState(flow_id) AS flows_state,
        uniqExactStateIf(flow_id, ttl_up_max IN (63, 127, 254)) AS shared_state,
        groupUniqArrayIf(3)(toString(ttl_up_max), ttl_up_max IN (63, 127, 254)) AS step_ttls,
        min(start) AS seen, max(start) AS seen_last,
        groupArrayIf(10)(tuple(start, client, server, server_port, protocol, ttl_up_min, ttl_up_max, syn_signature, sensor, flow_id),
            ttl_up_max IN (63, 127, 254)) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND protocol IN (6, 17) AND packets_up > 0 AND client_mac IN (SELECT mac FROM suspects)
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT has({approved_routers:Array(IPv6)}, client)
        AND NOT has({router_macs:Array(UInt64)}, client_mac) AND NOT has({access_point_macs:Array(UInt64)}, client_mac)
        AND client_mac NOT IN (SELECT mac FROM routers)
    GROUP BY site, client, client_mac, step
),
windows AS
(
    SELECT
        site, client, client_mac, step, samples,
        uniqExactMerge(flows_state) OVER w AS flow_count,
        uniqExactMerge(shared_state) OVER w AS shared,
        groupUniqArrayArray(3)(step_ttls) OVER w AS ttls,
        uniqExact(client) OVER (PARTITION BY site, client_mac) AS addresses,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client, client_mac ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    shared / {flows_min:Float64} AS strength,
    map('shared', toFloat64(shared), 'flows', toFloat64(flow_count), 'addresses', toFloat64(addresses), 'ttls_seen', toFloat64(length(ttls))) AS inputs,
    map('mac', MACNumToString(client_mac), 'ttls', arrayStringConcat(arraySort(ttls), ' and ')) AS texts,
    if(length(ttls) > 1, 90, 75) AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE shared >= {flows_min:Float64}
