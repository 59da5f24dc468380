-- title: All traffic with one address
-- class: circumvention
-- states: {subject} ({group}) exchanged {share_percent} % of its outside traffic in {window} to {to} with {peer} ({application}), which is on no list:
--   {megabytes} MB in {minutes:minute}, {up_percent} % of them up; {others:other address}, against {before} in the hour before. By behaviour.
-- subject: host
-- severity: low
-- clause: S11, L K5
-- window: 15m
-- step: 5m
-- lookback: 1h
-- reads: flows
-- rests_on: absence
-- parameter bytes_share: 0.9 | [D] | part of a host's outside bytes that goes to one address
-- parameter megabytes_min: 5 | [D] | megabytes with it
-- parameter minutes_min: 8 | [D] | minutes of the window in which it was in use
-- parameter up_least: 0.02 | [D] | part of the bytes that goes up at least: a download sends acknowledgements alone
-- parameter up_most: 0.6 | [D] | and at most: an upload or backup
-- parameter others_most: 3 | [D] | other outside addresses in the window
-- parameter before_min: 10 | [D] | outside addresses in the hour before: a device with one server always looks the same
SELECT client FROM
-- Whoever spoke with as few outside addresses as a window may have, in a step with its part of the bytes.
(
    SELECT client FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
        AND packets_down > 0
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
    GROUP BY site, client, toStartOfInterval(start, toIntervalSecond({step:UInt32}))
    -- Past 16 addresses it counts no further: a policy that lets more through has more suspects.
    HAVING uniqUpTo(16)(server) <= 1 + {others_most:Float64}
        AND {window:UInt32} * sum(bytes_up + bytes_down) >= 1e6 * {megabytes_min:Float64} * {step:UInt32}
)
WHERE arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
    AND NOT has({resolvers:Array(IPv6)}, client)
;
WITH
(
    SELECT groupArray((toString(site), client, server))
    FROM
    (
        SELECT site, client, server FROM flows
        WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
            AND client IN {suspects:Array(IPv6)} AND bytes_up + bytes_down >= 100000
            AND service = '' AND empty(categories) AND protocol IN (6, 17)
            AND application NOT IN ('rtp', 'stun', 'dtls', 'zoom', 'sip', 'dns', 'bittorrent', 'wireguard', 'openvpn', 'ipsec', 'tor', 'socks')
        GROUP BY site, client, server
        HAVING count() >= {minutes_min:Float64} AND sum(bytes_up + bytes_down) >= 1e6 * {megabytes_min:Float64}
            AND sum(bytes_up) BETWEEN 0.5 * {up_least:Float64} * sum(bytes_up + bytes_down) AND least(1, 1.5 * {up_most:Float64}) * sum(bytes_up + bytes_down)
    )
    WHERE NOT arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {vpn_from:Array(IPv6)}, {vpn_to:Array(IPv6)})
) AS found,
large AS (SELECT f.1 AS site, f.2 AS client, f.3 AS server FROM (SELECT arrayJoin(found) AS f)),
steps AS
(
    SELECT
        site, client, server, toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        min(`group`) AS step_group,
        sum(bytes_up) AS step_up, sum(bytes_up + bytes_down) AS step_bytes,
        groupUniqArray(toStartOfMinute(start)) AS step_minutes,
        groupUniqArray(toString(application)) AS step_applications,
        min(start) AS seen, max(end) AS seen_last,
        groupArraySorted(10)(tuple(start, client, server, server_port, protocol, application, server_name, bytes_up, bytes_down, sensor, flow_id)) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND client IN (SELECT client FROM large)
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        -- What nobody answers is no traffic.
        AND packets_down > 0
    GROUP BY site, client, server, step
),
hosts AS
(
    SELECT
        site, client, step, sum(step_bytes) AS host_bytes, groupUniqArray(server) AS servers
    FROM steps
    GROUP BY site, client, step
),
around AS
(
    SELECT
        site, client, step,
        sum(host_bytes) OVER w AS bytes,
        groupUniqArrayArray(servers) OVER w AS now,
        groupUniqArrayArray(servers) OVER b AS earlier
    FROM hosts
    -- The window is three steps; before it lies the hour of the lookback.
    WINDOW
        w AS (PARTITION BY site, client ORDER BY step RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW),
        b AS (PARTITION BY site, client ORDER BY step RANGE BETWEEN 4200 PRECEDING AND 900 PRECEDING)
),
peers AS
(
    SELECT
        site, client, server, step, step_group, samples,
        sum(step_up) OVER w AS up,
        sum(step_bytes) OVER w AS bytes,
        length(groupUniqArrayArray(step_minutes) OVER w) AS minutes,
        groupUniqArrayArray(step_applications) OVER w AS applications,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WHERE (toString(site), client, server) IN (SELECT site, client, server FROM large)
    WINDOW w AS (PARTITION BY site, client, server ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    p.site AS site, p.step AS step, `from`, `to`, toString(p.client) AS subject,
    p.bytes / 1e6 / {megabytes_min:Float64} AS strength,
    map('share_percent', round(100 * p.bytes / a.bytes, 1), 'megabytes', round(p.bytes / 1e6, 1), 'minutes', toFloat64(minutes),
        'up_percent', round(100 * up / p.bytes, 1), 'others', toFloat64(length(now) - 1), 'before', toFloat64(length(earlier))) AS inputs,
    map('group', if(step_group = '', 'no group', toString(step_group)), 'peer', toString(p.server),
        'application', if(applications = [''], 'not recognised', arrayStringConcat(arrayFilter(x -> x != '', arraySort(applications)), ', '))) AS texts,
    60 AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM peers AS p JOIN around AS a ON p.site = a.site AND p.client = a.client AND p.step = a.step
WHERE p.bytes >= 1e6 * {megabytes_min:Float64} AND p.bytes >= {bytes_share:Float64} * a.bytes
    AND minutes >= {minutes_min:Float64}
    AND up BETWEEN {up_least:Float64} * p.bytes AND {up_most:Float64} * p.bytes
    AND length(now) - 1 <= {others_most:Float64} AND length(earlier) >= {before_min:Float64}
