-- title: Address sharing
-- class: equipment
-- states: {shared} of {flows:flow} of {subject} ({mac}, VLAN {vlan}{place}) came with TTL {ttls} in {window} to {to}: one hop less
--   than systems send, as behind a router or hotspot{systems}. Its MAC stands before {addresses:address} and is on no list of routers.
-- subject: host
-- severity: medium
-- clause: S9d, L K17
-- window: 10m
-- step: 1m
-- lookback: 0s
-- reads: flows, sightings
-- rests_on: presence
-- parameter flows_min: 3 | [D] | flows with such a TTL
-- parameter hop_share: 0.8 | [D] | part of its TCP connections with TTL 63 from which a host is a router, whatever is behind it
-- parameter router_addresses: 8 | [D] | addresses before which a MAC is a router's
SELECT client_mac AS mac FROM flows
WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
    AND ttl_up_max IN (63, 127, 254) AND client_mac != 0
GROUP BY client_mac HAVING uniqExact(flow_id) >= {flows_min:Float64}
;
WITH
spoken AS
(
    SELECT
        site, vlan, client, client_mac, start, flow_id, server, server_port, protocol, ttl_up_min, ttl_up_max, syn_signature, sensor,
        ttl_up_max IN (63, 127, 254) AS hop,
        protocol = 6 AND syn_signature != '' AND start = first AS opened,
        -- The order of the SYN's options tells the system: `4:64:0:1460:65535,6:mss,…:df,id+:0`.
        splitByChar(':', syn_signature) AS parts,
        concat(parts[2], ':', arrayStringConcat(arrayFilter(o -> o IN ('mss', 'ws', 'sok', 'sack', 'ts'), splitByChar(',', parts[6])), ',')) AS form
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND protocol IN (6, 17) AND packets_up > 0 AND client_mac IN
        (
            SELECT client_mac FROM flows
            WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
                AND ttl_up_max IN (63, 127, 254) AND client_mac IN {suspects:Array(UInt64)}
            GROUP BY client_mac HAVING uniq(client) <= {router_addresses:Float64}
        )
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT has({approved_routers:Array(IPv6)}, client)
        AND NOT has({router_macs:Array(UInt64)}, client_mac) AND NOT has({access_point_macs:Array(UInt64)}, client_mac)
        AND client_mac NOT IN (
            SELECT mac FROM sightings
            WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
                AND has({approved_routers:Array(IPv6)}, ip))
),
steps AS
(
    SELECT
        site, client, client_mac,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        uniqExactState(flow_id) AS flows_state,
        uniqExactStateIf(flow_id, hop) AS shared_state,
        countIf(opened) AS step_opened,
        countIf(opened AND hop) AS step_opened_hop,
        arraySort(groupUniqArrayIf(assumeNotNull(ttl_up_max), hop)) AS step_ttls,
        arraySort(groupUniqArrayIf(transform(form, {system_forms:Array(String)}, {systems_by_forms:Array(String)}, 'unknown'), opened AND hop)) AS step_systems,
        min(vlan) AS step_vlan,
        min(start) AS seen, max(start) AS seen_last,
        groupArraySortedIf(10)(tuple(start, flow_id, client, server, server_port, protocol, ttl_up_min, ttl_up_max, syn_signature, sensor), hop) AS samples
    FROM spoken
    GROUP BY site, client, client_mac, step
),
windows AS
(
    SELECT
        site, client, client_mac, step, samples,
        uniqExactMerge(flows_state) OVER w AS flow_count,
        uniqExactMerge(shared_state) OVER w AS shared,
        sum(step_opened) OVER w AS opened,
        sum(step_opened_hop) OVER w AS opened_hop,
        arraySort(groupUniqArrayArray(step_ttls) OVER w) AS ttls,
        arraySort(groupUniqArrayArray(step_systems) OVER w) AS systems,
        min(step_vlan) OVER w AS vlan,
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
    map('shared', toFloat64(shared), 'flows', toFloat64(flow_count), 'addresses', toFloat64(addresses), 'ttls_seen', toFloat64(length(ttls)),
        'connections', toFloat64(opened), 'connections_shared', toFloat64(opened_hop)) AS inputs,
    map(
        'mac', MACNumToString(client_mac), 'vlan', toString(vlan),
        'ttls', arrayStringConcat(arrayMap(t -> toString(t), ttls), ' and '),
        'systems', if(empty(arrayFilter(s -> s != 'unknown', systems)), '', ', by the form of their connections ' || arrayStringConcat(arrayFilter(s -> s != 'unknown', systems), ' and '))) AS texts,
    multiIf(length(ttls) > 1, 90, has(systems, 'Apple'), 85, 75) AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
-- TTL 63 alone, from Linux, beside connections of the host itself: containers do the same (Android on ChromeOS, WSL, Docker).
WHERE shared >= {flows_min:Float64}
    AND (notEmpty(arrayFilter(t -> t != 63, ttls)) OR notEmpty(arrayFilter(s -> s != 'Linux', systems)) OR opened = 0 OR opened_hop >= {hop_share:Float64} * opened)
