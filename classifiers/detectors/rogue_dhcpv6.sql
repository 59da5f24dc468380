-- title: DHCPv6 server that is not approved
-- class: equipment
-- states: {subject} ({mac}, VLAN {vlan}{place}) answered DHCPv6 messages of {clients:client} {answers_seen:time} in {window} to
--   {to}. It is on no list of DHCPv6 servers or routers. Handed out: {offered}; DNS {dns}.
-- states unlisted: {subject} ({mac}, VLAN {vlan}{place}) and {others:other device} answered DHCPv6 messages in {window} to {to}; no
--   list says which of them is meant to. It answered {clients:client} {answers_seen:time}: {offered}; DNS {dns}.
-- subject: host
-- severity: high
-- clause: S9d, L K17
-- window: 1h
-- step: 1m
-- lookback: 0s
-- reads: sightings
-- rests_on: presence
-- parameter answers: 1 | [K] | answers of one server: advertise, reply, reconfigure (RFC 8415, 7.3)
WITH
steps AS
(
    SELECT
        site, ip, mac, vlan,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_answers,
        uniqExactState(attributes['client_mac']) AS clients_state,
        arraySlice(arraySort(groupUniqArrayIf(value, value != '')), 1, 5) AS step_offered,
        arraySlice(arraySort(groupUniqArrayIf(attributes['dns'], attributes['dns'] != '')), 1, 5) AS step_dns,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, vlan, source, mac, ip, value, attributes)) AS samples
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source = 'dhcpv6' AND attributes['type'] IN ('advertise', 'reply', 'reconfigure')
        -- What a relay hands on to the client comes from the relay, which is a router.
        AND NOT has({approved_dhcpv6:Array(IPv6)}, ip) AND NOT has({approved_routers:Array(IPv6)}, ip)
        AND NOT has({router_macs:Array(UInt64)}, mac)
    GROUP BY site, ip, mac, vlan, step
),
windows AS
(
    SELECT
        site, ip, mac, vlan, step, samples,
        sum(step_answers) OVER w AS answers_seen,
        uniqExactMerge(clients_state) OVER w AS clients,
        groupUniqArrayArray(step_offered) OVER w AS offered,
        groupUniqArrayArray(step_dns) OVER w AS resolvers,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`,
        uniqExact(mac) OVER (PARTITION BY site, vlan ORDER BY step
            RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW) AS speakers
    FROM steps
    WINDOW w AS (PARTITION BY site, ip, mac, vlan ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(ip) AS subject,
    if(empty({approved_dhcpv6:Array(IPv6)}) AND empty({approved_routers:Array(IPv6)}), 'unlisted', '') AS variant,
    toFloat64(answers_seen) AS strength,
    map('answers_seen', toFloat64(answers_seen), 'clients', toFloat64(clients), 'others', toFloat64(speakers - 1)) AS inputs,
    map(
        'mac', MACNumToString(mac), 'vlan', toString(vlan),
        'offered', if(empty(offered), 'no address', arrayStringConcat(arraySlice(arraySort(offered), 1, 5), ', ')),
        'dns', if(empty(resolvers), 'not seen', arrayStringConcat(arraySlice(arraySort(resolvers), 1, 5), ', '))) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE answers_seen >= {answers:Float64} AND (variant = '' OR speakers >= 2)
