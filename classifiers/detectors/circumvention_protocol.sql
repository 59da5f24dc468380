-- title: Way around the filter, by protocol
-- class: circumvention
-- states: {subject} ({group}) spoke {protocols} with {peers:end point} outside in {window} to {to} ({peer_list}), {kilobytes} kB; none
--   is on the list of the organisation's own. By protocol.
-- subject: host
-- severity: medium
-- clause: S11, L K5
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: application IN ('wireguard', 'openvpn', 'ipsec', 'pptp', 'l2tp', 'tor', 'socks', 'dnscrypt', 'softether', 'tinc')
--   OR application IN ('tls', 'dtls', 'quic') AND (server_port = 853 OR alpn IN ('dot', 'doq'))
--   OR http_method IN ('CONNECT', 'SSTP_DUPLEX_POST')
-- rests_on: presence
-- parameter packets_min: 2 | [D] | packets each way: a probe without an answer is no tunnel
WITH
steps AS
(
    SELECT
        site, client, min(`group`) AS step_group,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        uniqExactState((server, server_port)) AS peers_state,
        arraySlice(arraySort(groupUniqArray(toString(server))), 1, 5) AS step_peers,
        groupUniqArray(multiIf(
            application IN ('tls', 'dtls'), 'DNS over TLS',
            application = 'quic', 'DNS over QUIC',
            http_method = 'CONNECT', 'HTTP CONNECT',
            http_method = 'SSTP_DUPLEX_POST', 'SSTP',
            toString(application))) AS step_protocols,
        sum(bytes_up + bytes_down) AS step_bytes,
        min(start) AS seen, max(start) AS seen_last,
        groupArraySorted(10)(tuple(start, client, server, server_port, protocol, application, bytes_up, bytes_down, sensor, flow_id)) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND
        (
            application IN ('wireguard', 'openvpn', 'ipsec', 'pptp', 'l2tp', 'tor', 'socks', 'dnscrypt', 'softether', 'tinc')
            -- RFC 7858 and RFC 9250, and what both offer on other ports.
            OR application IN ('tls', 'dtls', 'quic') AND (server_port = 853 OR alpn IN ('dot', 'doq'))
            OR http_method IN ('CONNECT', 'SSTP_DUPLEX_POST')
        )
        AND packets_up >= {packets_min:Float64} AND packets_down >= {packets_min:Float64}
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {vpn_from:Array(IPv6)}, {vpn_to:Array(IPv6)})
        AND NOT has({sanctioned_services:Array(String)}, service)
        -- Phones call over the school's Wi-Fi through IPsec to their carrier (3GPP TS 23.402, ePDG).
        AND service != 'Wi-Fi calling'
        AND NOT has({resolvers:Array(IPv6)}, server)
        -- The school's own resolver may ask over TLS.
        AND NOT has({resolvers:Array(IPv6)}, client)
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step, step_group, samples,
        uniqExactMerge(peers_state) OVER w AS peers,
        groupUniqArrayArray(step_peers) OVER w AS peer_list,
        groupUniqArrayArray(step_protocols) OVER w AS protocols,
        sum(step_bytes) OVER w AS bytes,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    toFloat64(bytes) AS strength,
    map('peers', toFloat64(peers), 'kilobytes', round(bytes / 1000, 1)) AS inputs,
    map('group', if(step_group = '', 'no group', toString(step_group)), 'protocols', arrayStringConcat(arraySort(protocols), ', '),
        'peer_list', arrayStringConcat(arraySlice(arraySort(peer_list), 1, 5), ', ')) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
