-- title: Connections that look like nothing
-- class: circumvention
-- states: {subject} ({group}) had {flows:connection} with {peers:end point} outside in {window} to {to} ({peer_list}) whose first bytes look random
--   on both sides and fit no known protocol, {kilobytes} kB; so do Shadowsocks, obfs4 and other obfuscated tunnels. By behaviour.
-- subject: host
-- severity: medium
-- clause: S11, L K5
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: application = 'encrypted'
-- rests_on: presence
-- parameter flows_min: 3 | [D] | connections to one end point: the rule hits 0.6 % of ordinary connections (Wu and others, 2023)
-- parameter kilobytes_min: 500 | [D] | kilobytes with one end point that are enough with fewer
-- parameter peers_max: 20 | [D] | end points from which on it is rather a swarm: BitTorrent's encryption looks the same
WITH
steps AS
(
    SELECT
        site, client, server, server_port, min(`group`) AS step_group,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        uniqExactState(flow_id) AS flows_state,
        sum(bytes_up + bytes_down) AS step_bytes,
        min(start) AS seen, max(start) AS seen_last,
        groupArraySorted(10)(tuple(start, client, server, server_port, application, server_name, bytes_up, bytes_down, sensor, flow_id)) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND application = 'encrypted' AND payload_up > 0 AND payload_down > 0
        AND service = '' AND NOT hasAny(categories, ['p2p'])
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {vpn_from:Array(IPv6)}, {vpn_to:Array(IPv6)})
    GROUP BY site, client, server, server_port, step
),
peers AS
(
    SELECT
        site, client, server, server_port, step, step_group, samples,
        uniqExactMerge(flows_state) OVER w AS flow_count,
        sum(step_bytes) OVER w AS bytes,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client, server, server_port ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, min(peers.`from`) AS `from`, max(peers.`to`) AS `to`, toString(client) AS subject,
    toFloat64(max(flow_count) / {flows_min:Float64} + max(bytes) / 1000 / {kilobytes_min:Float64}) AS strength,
    map('flows', toFloat64(sum(flow_count)), 'peers', toFloat64(count()), 'kilobytes', round(sum(bytes) / 1000, 1)) AS inputs,
    map('group', if(min(step_group) = '', 'no group', toString(min(step_group))),
        'peer_list', arrayStringConcat(groupArraySorted(5)(concat(toString(server), ' port ', toString(server_port))), ', ')) AS texts,
    60 AS confidence,
    arrayMap(s -> toJSONString(s), arraySlice(arraySort(groupArrayArray(peers.samples)), 1, 10)) AS samples
FROM peers
WHERE flow_count >= {flows_min:Float64} OR bytes >= 1000 * {kilobytes_min:Float64}
GROUP BY site, client, step
HAVING count() <= {peers_max:Float64}
