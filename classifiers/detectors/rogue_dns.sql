-- title: Resolver handed out that is not the organisation's
-- class: equipment
-- states: {subject} ({mac}, VLAN {vlan}{place}) told {clients:client} by {protocols} in {window} to {to} to ask {foreign} for names.
--   It is an approved server or router, but the policy's resolvers are {resolvers}: its settings differ, or somebody speaks in its name.
-- subject: host
-- severity: medium
-- clause: S9d, S11, L K5, L K17
-- window: 1h
-- step: 1m
-- lookback: 0s
-- reads: sightings
-- rests_on: presence
-- parameter told_min: 1 | [K] | answers and router advertisements with such a resolver
WITH
told AS
(
    SELECT
        site, vlan, ts, source, mac, ip, value, attributes,
        -- A router or DHCP server that asks for its clients is as good as its approval.
        arrayFilter(a -> a != toIPv6('::') AND NOT has({resolvers:Array(IPv6)}, a) AND NOT has({approved_routers:Array(IPv6)}, a)
            AND NOT has({approved_dhcp:Array(IPv6)}, a) AND NOT has({approved_dhcpv6:Array(IPv6)}, a) AND a != ip,
            arrayMap(t -> toIPv6OrDefault(t), splitByChar(',', attributes['dns']))) AS foreign
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source IN ('dhcp_offer', 'dhcp_ack', 'dhcpv6', 'ra') AND attributes['dns'] != '' AND notEmpty({resolvers:Array(IPv6)})
        -- Of servers on no list the rules about servers tell.
        AND (has({approved_dhcp:Array(IPv6)}, ip) OR has({approved_dhcpv6:Array(IPv6)}, ip) OR has({approved_routers:Array(IPv6)}, ip)
            OR has({router_macs:Array(UInt64)}, mac))
),
steps AS
(
    SELECT
        site, ip, mac, vlan, toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_told, uniqExactState(attributes['client_mac']) AS clients_state,
        arraySort(groupUniqArray(multiIf(source = 'ra', 'router advertisement', source = 'dhcpv6', 'DHCPv6', 'DHCP'))) AS step_protocols,
        arraySlice(arraySort(groupUniqArrayArray(foreign)), 1, 5) AS step_foreign,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, vlan, source, mac, ip, value, attributes)) AS samples
    FROM told
    -- A public resolver as the second beside the organisation's own: then the filter is gone round by chance.
    WHERE notEmpty(foreign)
    GROUP BY site, ip, mac, vlan, step
),
windows AS
(
    SELECT
        site, ip, mac, vlan, step, samples,
        sum(step_told) OVER w AS told, uniqExactMerge(clients_state) OVER w AS clients,
        arraySort(groupUniqArrayArray(step_protocols) OVER w) AS protocols,
        groupUniqArrayArray(step_foreign) OVER w AS foreign,
        min(seen) OVER w AS `from`, max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, ip, mac, vlan ORDER BY step RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(ip) AS subject,
    toFloat64(told) AS strength,
    map('told', toFloat64(told), 'clients', toFloat64(clients)) AS inputs,
    map(
        'mac', MACNumToString(mac), 'vlan', toString(vlan), 'protocols', arrayStringConcat(protocols, ' and '),
        'foreign', arrayStringConcat(arrayMap(a -> toString(a), arraySlice(arraySort(foreign), 1, 5)), ', '),
        'resolvers', arrayStringConcat(arrayMap(a -> toString(a), arraySlice(arraySort({resolvers:Array(IPv6)}), 1, 5)), ', ')) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE told >= {told_min:Float64}
