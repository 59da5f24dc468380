-- title: Signs of a consumer router
-- class: equipment
-- states: {subject} (VLAN {vlan}{place}) asked for its address by DHCP as a consumer router, repeater or hotspot does, in {window} to
--   {to}: {signs}. It is on no list of routers or access points.
-- states setup: {subject} (VLAN {vlan}{place}) asked for {signs} in {window} to {to}, the set-up page that routers of {makers} serve
--   under that name.
-- subject: device
-- severity: low
-- clause: S9d, L K17
-- window: 1h
-- step: 1m
-- lookback: 0s
-- reads: sightings, dns
-- needs dns: qname IN {setup_names:Array(String)}
-- rests_on: presence
-- parameter signs_min: 1 | [K] | DHCP requests or questions with such a sign
WITH
signs AS
(
    SELECT
        site, vlan, ts, 'device' AS kind, toString(mac) AS who, mac, '' AS maker,
        if(match(lower(value), {router_classes:String}), 'vendor class ' || left(value, 64), 'host name ' || left(name, 64)) AS sign,
        toJSONString(CAST(tuple(ts, vlan, source, mac, ip, name, value, attributes),
            'Tuple(ts DateTime64(6, ''UTC''), vlan UInt16, source String, mac UInt64, ip IPv6, name String, value String, attributes Map(String, String))')) AS sample
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source = 'dhcp_request'
        AND (match(lower(value), {router_classes:String}) OR match(lower(name), {router_host_names:String}))
        AND NOT has({router_macs:Array(UInt64)}, mac) AND NOT has({access_point_macs:Array(UInt64)}, mac)
        AND NOT has({switch_macs:Array(UInt64)}, mac)
    UNION ALL
    SELECT
        site, vlan, ts, 'host' AS kind, toString(client) AS who, 0 AS mac, transform(qname, {setup_names:Array(String)}, {setup_makers:Array(String)}, '') AS maker,
        qname AS sign,
        toJSONString(CAST(tuple(ts, vlan, transport, client, server, qname, qtype),
            'Tuple(ts DateTime64(6, ''UTC''), vlan UInt16, transport String, client IPv6, server IPv6, qname String, qtype UInt16)')) AS sample
    FROM dns
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND qname IN {setup_names:Array(String)} AND transport IN ('udp', 'tcp', 'mdns')
        AND NOT has({approved_routers:Array(IPv6)}, client)
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
        -- A resolver asks for all who asked it.
        AND NOT has({resolvers:Array(IPv6)}, client)
),
steps AS
(
    SELECT
        site, kind, who, mac,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_count,
        arraySlice(arraySort(groupUniqArray(sign)), 1, 5) AS step_signs,
        arraySort(groupUniqArray(maker)) AS step_makers,
        arraySlice(arraySort(groupUniqArray(vlan)), 1, 5) AS step_vlans,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)((ts, sample)) AS samples
    FROM signs
    GROUP BY site, kind, who, mac, step
),
windows AS
(
    SELECT
        site, kind, who, mac, step, samples,
        sum(step_count) OVER w AS told,
        groupUniqArrayArray(step_signs) OVER w AS found,
        arraySort(groupUniqArrayArray(step_makers) OVER w) AS makers,
        groupUniqArrayArray(step_vlans) OVER w AS vlans,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, kind, who, mac ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, kind AS subject_kind, who AS subject,
    if(kind = 'host', 'setup', '') AS variant,
    toFloat64(length(found)) + told / 1000. AS strength,
    map('signs_seen', toFloat64(told), 'kinds', toFloat64(length(found))) AS inputs,
    map(
        'mac', if(mac = 0, '', MACNumToString(mac)),
        'vlan', arrayStringConcat(arrayMap(v -> toString(v), arraySlice(arraySort(vlans), 1, 5)), ', '),
        'signs', arrayStringConcat(arraySlice(arraySort(found), 1, 5), ', '),
        'makers', arrayStringConcat(makers, ', ')) AS texts,
    -- A phone's app for the router at home asks as well.
    if(kind = 'host', 50, 80) AS confidence,
    arrayMap(s -> s.2, samples) AS samples
FROM windows
WHERE told >= {signs_min:Float64}
