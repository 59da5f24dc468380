-- title: DHCP server that is not approved
-- class: equipment
-- states: {subject} ({mac}, VLAN {vlan}{place}) answered DHCP requests of {clients:client} with {offers:offer} and
--   {acks:acknowledgement} in {window} to {to}. It is not on the list of servers. Offered: {offered}; router {routers}; DNS {dns}.
-- states unlisted: {subject} ({mac}, VLAN {vlan}{place}) and {others:other device} answered DHCP requests with other settings in
--   {window} to {to}; no list says which of them is meant to. It gave {offers:offer} and {acks:acknowledgement} to
--   {clients:client}: {offered}; router {routers}; DNS {dns}.
-- subject: host
-- severity: high
-- clause: S9d, L K17
-- window: 1h
-- step: 1m
-- lookback: 0s
-- reads: sightings
-- rests_on: presence
-- parameter answers: 1 | [K] | offers and acknowledgements of one server
WITH
steps AS
(
    SELECT
        site, ip, mac, vlan,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        countIf(source = 'dhcp_offer') AS step_offers,
        countIf(source = 'dhcp_ack') AS step_acks,
        uniqExactState(attributes['client_mac']) AS clients_state,
        groupUniqArrayIf((mac, (attributes['router'], attributes['dns'])), attributes['router'] != '' OR attributes['dns'] != '') AS step_settings,
        arraySlice(arraySort(groupUniqArrayIf(value, value != '')), 1, 5) AS step_offered,
        arraySlice(arraySort(groupUniqArrayIf(attributes['router'], attributes['router'] != '')), 1, 5) AS step_routers,
        arraySlice(arraySort(groupUniqArrayIf(attributes['dns'], attributes['dns'] != '')), 1, 5) AS step_dns,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, vlan, source, mac, ip, value, attributes)) AS samples
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        -- A refusal hands out nothing.
        AND source IN ('dhcp_offer', 'dhcp_ack') AND attributes['type'] != 'nak'
        AND NOT has({approved_dhcp:Array(IPv6)}, ip)
    GROUP BY site, ip, mac, vlan, step
),
windows AS
(
    SELECT
        site, ip, mac, vlan, step, samples,
        sum(step_offers) OVER w AS offers,
        sum(step_acks) OVER w AS acks,
        uniqExactMerge(clients_state) OVER w AS clients,
        groupUniqArrayArray(step_settings) OVER w AS settings,
        groupUniqArrayArray(step_offered) OVER w AS offered,
        groupUniqArrayArray(step_routers) OVER w AS routers,
        groupUniqArrayArray(step_dns) OVER w AS resolvers,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`,
        groupUniqArrayArray(step_settings) OVER (PARTITION BY site, vlan ORDER BY step
            RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW) AS around
    FROM steps
    WINDOW w AS (PARTITION BY site, ip, mac, vlan ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
compared AS
(
    -- Servers that share a network's work, and a relay that speaks for several, hand out the same.
    SELECT *, length(arrayDistinct(arrayMap(s -> s.1, arrayFilter(s -> s.1 != mac AND NOT has(arrayMap(own -> own.2, settings), s.2), around)))) AS others
    FROM windows
)
SELECT
    site, step, `from`, `to`, toString(ip) AS subject,
    if(empty({approved_dhcp:Array(IPv6)}), 'unlisted', '') AS variant,
    toFloat64(offers + acks) AS strength,
    map('offers', toFloat64(offers), 'acks', toFloat64(acks), 'clients', toFloat64(clients), 'others', toFloat64(others)) AS inputs,
    map(
        'mac', MACNumToString(mac), 'vlan', toString(vlan),
        'offered', if(empty(offered), 'not seen', arrayStringConcat(arraySlice(arraySort(offered), 1, 5), ', ')),
        'routers', if(empty(routers), 'not seen', arrayStringConcat(arraySlice(arraySort(routers), 1, 5), ', ')),
        'dns', if(empty(resolvers), 'not seen', arrayStringConcat(arraySlice(arraySort(resolvers), 1, 5), ', '))) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM compared
WHERE offers + acks >= {answers:Float64} AND (notEmpty({approved_dhcp:Array(IPv6)}) OR others >= 1)
