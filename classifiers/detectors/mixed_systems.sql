-- title: Several systems behind one address
-- class: equipment
-- states: {subject} ({mac}, VLAN {vlan}{place}) spoke as {systems} in turn in {window} to {to}: {changed:change} from one to another
--   ({evidence}), {jumps} of them with p0f's score of {score_high} or more over its last {connections:connection}.
-- subject: host
-- severity: low
-- clause: S9d, L K17
-- window: 10m
-- step: 1m
-- lookback: 0s
-- reads: flows, sightings, dns
-- needs flows: protocol = 6 AND start = first
-- needs dns: has({system_names:Array(String)}, qname)
-- rests_on: presence
-- parameter score_high: 6 | [S] p0f 3, add_nat_score | score of a change that counts as a great one
-- parameter high_changes: 2 | [S] p0f 3, add_nat_score | great changes past which an address is shared
-- parameter score_middle: 3 | [S] p0f 3, add_nat_score | score of a change that counts as a middling one
-- parameter middle_changes: 4 | [S] p0f 3, add_nat_score | middling changes past which it is
-- parameter score_low: 2 | [S] p0f 3, add_nat_score | score of a change that counts as a small one
-- parameter low_changes: 6 | [S] p0f 3, add_nat_score | small changes past which it is
-- parameter other_system: 8 | [S] p0f 3, score_nat | score of a change between two known systems
-- parameter other_ttl: 4 | [S] p0f 3, score_nat | of a change of TTL between forms that are not both known
-- parameter other_quirks: 2 | [S] p0f 3, score_nat | of other quirks, where a form is unknown
-- parameter other_layout: 1 | [S] p0f 3, score_nat | of another order of options, where a form is unknown
-- parameter known_unknown: 1 | [S] p0f 3, score_nat | of a change from a known form to an unknown one, or back
-- parameter other_mss: 1 | [S] p0f 3, score_nat | of another MSS
-- parameter connections_kept: 32 | [S] p0f 3, NAT_SCORES | last connections that are scored
-- parameter family_changes: 3 | [D] | changes between system families, where DHCP, TLS or names tell them as well
-- parameter router_addresses: 8 | [D] | addresses before which a MAC is a router's
SELECT client_mac AS mac
-- One system opens its connections with one TTL and one order of options, and its own TLS is its own.
FROM
(
    SELECT
        client_mac, ttl_up_max AS ttl, splitByChar(':', syn_signature) AS parts,
        arrayStringConcat(arrayFilter(o -> o IN ('mss', 'ws', 'sok', 'sack', 'ts'), splitByChar(',', parts[6])), ',') AS layout,
        transform(concat(parts[2], ':', layout), {system_forms:Array(String)}, {systems_by_forms:Array(String)}, '') AS system,
        transform(ciphers, {system_ja4:Array(String)}, {systems_by_ja4:Array(String)}, '') AS tls_system
    FROM
    (
        -- The second part of a JA4 stands behind ten signs and a line.
        SELECT client_mac, ttl_up_max, any(flows.syn_signature) AS syn_signature, any(substring(ja4, 12, 12)) AS ciphers
        FROM flows
        WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
            AND protocol = 6 AND flows.syn_signature != '' AND start = first AND client_mac != 0
            -- Other TTLs come from tools that choose their own, or from farther away; so do SYNs without selective ACK.
            AND ttl_up_max IN (63, 64, 127, 128, 254, 255)
        GROUP BY client_mac, ttl_up_max, cityHash64(flows.syn_signature), cityHash64(ja4)
    )
    WHERE position(layout, 'sok') > 0
)
GROUP BY client_mac
HAVING (uniqExact(ttl, layout) >= 2 OR length(arrayDistinct(arrayFilter(f -> f != '', arrayConcat(groupUniqArray(system), groupUniqArray(tls_system))))) >= 2)
;
WITH
opened AS
(
    SELECT
        site, vlan, client, client_mac, start, flow_id, server, server_port, ttl_up_max AS ttl, syn_signature, ja4, sensor,
        splitByChar(':', syn_signature) AS parts,
        -- Padding and options that only some connections have are no system's mark.
        arrayStringConcat(arrayFilter(o -> o IN ('mss', 'ws', 'sok', 'sack', 'ts'), splitByChar(',', parts[6])), ',') AS layout,
        transform(concat(parts[2], ':', layout), {system_forms:Array(String)}, {systems_by_forms:Array(String)}, '') AS system,
        transform(substring(ja4, 12, 12), {system_ja4:Array(String)}, {systems_by_ja4:Array(String)}, '') AS tls_system,
        -- Those that a path may change are left out, as p0f does.
        arrayFilter(q -> q NOT IN ('ecn', 'df', 'id+', 'id-', '0+', ''), splitByChar(',', parts[7])) AS quirks
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND client_mac IN {suspects:Array(UInt64)}
        AND protocol = 6 AND syn_signature != '' AND start = first
        AND ttl_up_max IN (63, 64, 127, 128, 254, 255) AND position(layout, 'sok') > 0
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
        site, client, client_mac, toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        -- Of a busy minute the last ones: no more are scored.
        groupArraySorted(64)((-toUnixTimestamp64Micro(start), flow_id, system, ttl, layout, parts[4], quirks)) AS step_opened,
        arrayConcat(
            groupArraySortedIf(64)((toUnixTimestamp64Micro(start), system, 'TCP'), system != ''),
            groupArraySortedIf(64)((toUnixTimestamp64Micro(start), tls_system, 'TLS'), tls_system != '')) AS step_told,
        min(vlan) AS step_vlan, min(start) AS seen, max(start) AS seen_last,
        groupArraySorted(10)(tuple(start, flow_id, client, server, server_port, ttl, syn_signature, ja4, sensor)) AS samples
    FROM opened
    GROUP BY site, client, client_mac, step
),
-- What DHCP and the names of a system's own tests say, in the whole range: few rows.
leases AS
(
    SELECT site, mac, arraySort(groupArray((toUnixTimestamp64Micro(ts), families[1], 'DHCP'))) AS by_dhcp
    FROM
    (
        SELECT
            site, mac, ts,
            if(value != '', arrayFilter((family, start) -> startsWith(value, start), {systems_by_dhcp:Array(String)}, {system_dhcp:Array(String)}),
                arrayFilter((family, start) -> startsWith(attributes['parameters'], start), {systems_by_dhcp_options:Array(String)}, {system_dhcp_options:Array(String)})) AS families
        FROM sightings
        WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')} AND source = 'dhcp_request'
    )
    WHERE notEmpty(families)
    GROUP BY site, mac
),
asked AS
(
    SELECT
        site, client,
        arraySort(groupArray((toUnixTimestamp64Micro(ts), transform(qname, {system_names:Array(String)}, {systems_by_names:Array(String)}, ''), 'names'))) AS by_names
    FROM dns
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND has({system_names:Array(String)}, qname) AND transport IN ('udp', 'tcp')
    GROUP BY site, client
),
windows AS
(
    SELECT
        site, client, client_mac, step, samples,
        arrayReverse(arraySlice(arraySort(groupArrayArray(step_opened) OVER w), 1, toUInt32({connections_kept:Float64}))) AS syns,
        groupArrayArray(step_told) OVER w AS connected,
        min(step_vlan) OVER w AS vlan,
        uniqExact(client) OVER (PARTITION BY site, client_mac) AS addresses,
        min(seen) OVER w AS seen_first,
        max(seen_last) OVER w AS seen_to
    FROM steps
    WINDOW w AS (PARTITION BY site, client, client_mac ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
joined AS
(
    SELECT
        windows.site AS site, windows.client AS client, client_mac, step, samples, syns, vlan, seen_first AS `from`, seen_to AS `to`,
        arraySort(arrayConcat(connected, arrayFilter(
            t -> t.1 >= toUnixTimestamp(step) * 1000000 - {before:UInt32} * 1000000 AND t.1 < (toUnixTimestamp(step) + {step:UInt32}) * 1000000,
            arrayConcat(by_dhcp, by_names)))) AS said
    FROM windows
    LEFT JOIN leases ON windows.site = leases.site AND windows.client_mac = leases.mac
    LEFT JOIN asked ON windows.site = asked.site AND windows.client = asked.client
    WHERE addresses <= {router_addresses:Float64}
),
scored AS
(
    SELECT
        *,
        -- A connection: time, flow, system, TTL, options, MSS, quirks. p0f's marks for ports that go back and for the order of
        -- timestamps need what records don't hold, and today's systems choose ports at random.
        arrayMap((a, b) ->
            if(a.3 != '' AND b.3 != '', if(a.3 != b.3, {other_system:Float64}, if(a.4 != b.4, {other_ttl:Float64}, 0)),
                if(a.7 != b.7, {other_quirks:Float64}, if(a.5 != b.5, {other_layout:Float64}, 0))
                + if((a.3 = '') != (b.3 = ''), {known_unknown:Float64}, 0)
                + if(a.4 != b.4, {other_ttl:Float64}, 0))
            + if(a.6 != b.6, {other_mss:Float64}, 0), arrayPopBack(syns), arrayPopFront(syns)) AS scores,
        arrayCount(s -> s >= {score_high:Float64}, scores) AS jumps,
        arrayCount(s -> s >= {score_middle:Float64}, scores) AS middling,
        arrayCount(s -> s >= {score_low:Float64}, scores) AS small,
        arrayCount((a, b) -> a.2 != b.2, arrayPopBack(said), arrayPopFront(said)) AS changed,
        arraySort(arrayDistinct(arrayMap(s -> s.2, said))) AS families,
        arraySort(arrayDistinct(arrayMap(s -> s.3, said))) AS ways,
        arraySort(arrayDistinct(arrayMap(s -> s.4, syns))) AS ttls,
        -- Containers share their host's address as well: Linux one hop behind a system that speaks for itself (Android on
        -- ChromeOS, WSL, Docker). Only what Linux never says is then a sign of another device.
        arrayAll(s -> s.4 NOT IN (127, 254), syns) AND arrayAll(s -> s.4 != 63 OR s.3 = 'Linux', syns) AND arrayExists(s -> s.4 = 63, syns)
            AND length(arrayDistinct(arrayMap(s -> (s.3, s.4, s.5), arrayFilter(s -> s.4 != 63, syns)))) <= 1
            AND arrayAll(s -> s.3 != 'names' OR has(arrayMap(o -> o.3, arrayFilter(o -> o.4 != 63, syns)), s.2), said) AS contained
    FROM joined
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    greatest(jumps / ({high_changes:Float64} + 1), middling / ({middle_changes:Float64} + 1), small / ({low_changes:Float64} + 1), changed / {family_changes:Float64}) AS strength,
    map('jumps', toFloat64(jumps), 'middling', toFloat64(middling), 'small', toFloat64(small), 'changed', toFloat64(greatest(changed, middling)),
        'connections', toFloat64(length(syns)), 'families', toFloat64(length(families)), 'forms', toFloat64(length(arrayDistinct(arrayMap(s -> (s.4, s.5, s.6), syns))))) AS inputs,
    map(
        'mac', MACNumToString(client_mac), 'vlan', toString(vlan),
        'systems', if(length(families) >= 2, arrayStringConcat(families, ' and '), 'several systems'),
        'evidence', concat('by ', if(empty(ways), 'TCP', arrayStringConcat(ways, ', ')), if(empty(ttls), '', ', TTL ' || arrayStringConcat(arrayMap(t -> toString(t), ttls), ' and ')))) AS texts,
    if(length(ways) >= 2, 80, 70) AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM scored
WHERE NOT contained
    AND (jumps > {high_changes:Float64} OR middling > {middle_changes:Float64} OR small > {low_changes:Float64}
        OR (length(ways) >= 2 AND changed >= {family_changes:Float64}))
