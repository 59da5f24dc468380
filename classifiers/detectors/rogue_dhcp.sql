-- title: DHCP server that is not approved
-- class: equipment
-- states: {subject} ({mac}, VLAN {vlans}) answered DHCP requests of {clients:client} with {offers:offer} and {acks:acknowledgement}
--   in {window} to {to}. It is not on the list of servers. Offered: {offered}; router {routers}; DNS {dns}.
-- states unlisted: {subject} ({mac}, VLAN {vlans}) and {others:other server} answered DHCP requests in {window} to {to}; no
--   list says which of them is meant to. It gave {offers:offer} and {acks:acknowledgement} to {clients:client}.
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
        site, ip, mac,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        countIf(source = 'dhcp_offer') AS step_offers,
        countIf(source = 'dhcp_ack') AS step_acks,
        uniqExactState(attributes['client_mac']) AS clients_state,
        groupUniqArray(5)(toString(vlan)) AS step_vlans,
        groupUniqArrayIf(5)(value, value != '') AS step_offered,
        groupUniqArrayIf(5)(attributes['router'], attributes['router'] != '') AS step_routers,
        groupUniqArrayIf(5)(attributes['dns'], attributes['dns'] != '') AS step_dns,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArray(10)(tuple(ts, vlan, source, ip, value, attributes)) AS samples
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        -- A refusal hands out nothing.
        AND source IN ('dhcp_offer', 'dhcp_ack') AND attributes['type'] != 'nak'
        AND NOT has({approved_dhcp:Array(IPv6)}, ip)
    GROUP BY site, ip, mac, step
),
windows AS
(
    SELECT
        site, ip, mac, step, samples,
        sum(step_offers) OVER w AS offers,
        sum(step_acks) OVER w AS acks,
        uniqExactMerge(clients_state) OVER w AS clients,
        groupUniqArrayArray(5)(step_vlans) OVER w AS vlans,
        groupUniqArrayArray(5)(step_offered) OVER w AS offered,
        groupUniqArrayArray(5)(step_routers) OVER w AS routers,
        groupUniqArrayArray(5)(step_dns) OVER w AS resolvers,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`,
        uniqExact(ip) OVER (PARTITION BY site ORDER BY step
            RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW) AS servers
    FROM steps
    WINDOW w AS (PARTITION BY site, ip, mac ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(ip) AS subject,
    if(empty({approved_dhcp:Array(IPv6)}), 'unlisted', '') AS variant,
    toFloat64(offers + acks) AS strength,
    map('offers', toFloat64(offers), 'acks', toFloat64(acks), 'clients', toFloat64(clients), 'others', toFloat64(servers - 1)) AS inputs,
    map(
        'mac', MACNumToString(mac),
        'vlans', arrayStringConcat(arraySort(vlans), ', '),
        'offered', if(empty(offered), 'not seen', arrayStringConcat(arraySort(offered), ', ')),
        'routers', if(empty(routers), 'not seen', arrayStringConcat(arraySort(routers), ', ')),
        'dns', if(empty(resolvers), 'not seen', arrayStringConcat(arraySort(resolvers), ', '))) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE offers + acks >= {answers:Float64} AND (notEmpty({approved_dhcp:Array(IPv6)}) OR servers >= 2)
