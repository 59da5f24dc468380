-- title: Suspected password guessing
-- class: scanning
-- states: {subject} opened {alike:connection} over {service} to {server} in {window} to {to}, of {all} in all, with nearly the
--   same bytes each ({up} up, {down} down), as one does who is refused again and again. What was said is encrypted.
-- subject: host
-- severity: low
-- clause: S9, L K15
-- window: 10m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: protocol = 6 AND payload_up > 0 AND (application = 'rdp' OR server_port = 3389
--   OR application = 'tls' AND server_port IN (443, 4443, 8443)
--   AND arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}))
-- rests_on: presence
-- parameter connections: 20 | [D] | connections with nearly the same bytes
-- parameter spread: 0.1 | [D] | how far from the middle their bytes may lie
-- parameter long_bytes: 20000 | [D] | bytes past which a connection is a session, not a refusal
-- parameter poll_gap: 5 | [D] | seconds between them, from which a steady rhythm is a program that asks for news
-- parameter poll_spread: 0.2 | [D] | how far the middle half of the pauses may lie apart in such a rhythm, in parts of the middle one
SELECT client FROM flows
WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
    AND protocol = 6
    AND
    (
        application = 'rdp' OR server_port = 3389
        OR application = 'tls' AND server_port IN (443, 4443, 8443)
            AND arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
    )
    AND payload_up > 0 AND payload_down > 0
    AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
GROUP BY client, server
HAVING count() >= {connections:Float64}
;
WITH
sessions AS
(
    SELECT
        site, client, server, flow_id,
        if(application = 'rdp' OR server_port = 3389, 'RDP', 'HTTPS') AS spoken,
        min(start) AS began, sum(payload_up) AS up, sum(payload_down) AS down,
        min(tuple(start, client, client_port, server, server_port, application, payload_up, payload_down, sensor, flow_id)) AS sample
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND protocol = 6
        AND
        (
            application = 'rdp' OR server_port = 3389
            -- A page of ours with a form; what is outside has its own guard.
            OR application = 'tls' AND server_port IN (443, 4443, 8443)
                AND arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        )
        AND payload_up > 0 AND payload_down > 0
        AND client IN {suspects:Array(IPv6)}
    GROUP BY site, client, server, spoken, flow_id
    HAVING up + down <= {long_bytes:Float64}
),
ordered AS
(
    SELECT
        site, client, server, spoken,
        toStartOfInterval(began, toIntervalSecond({step:UInt32})) AS step,
        groupArraySorted(5000)(tuple(toUnixTimestamp64Micro(began) / 1e6, up, down)) AS step_sessions,
        min(began) AS seen, max(began) AS seen_last,
        groupArraySorted(10)(sample) AS samples
    FROM sessions
    GROUP BY site, client, server, spoken, step
),
windows AS
(
    SELECT
        site, client, server, spoken, step,
        arraySlice(arraySort(groupArrayArray(samples) OVER w), 1, 10) AS samples,
        arraySort(groupArrayArray(step_sessions) OVER w) AS all_sessions,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM ordered
    WINDOW w AS (PARTITION BY site, client, server, spoken ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
middled AS
(
    SELECT
        *,
        arrayElement(arraySort(arrayMap(s -> s.2, all_sessions)), intDiv(length(all_sessions) + 1, 2)) AS up_middle,
        arrayElement(arraySort(arrayMap(s -> s.3, all_sessions)), intDiv(length(all_sessions) + 1, 2)) AS down_middle
    FROM windows
    WHERE length(all_sessions) >= {connections:Float64}
),
alike AS
(
    SELECT
        *,
        arrayFilter(s -> abs(toFloat64(s.2) - up_middle) <= {spread:Float64} * up_middle
            AND abs(toFloat64(s.3) - down_middle) <= {spread:Float64} * down_middle, all_sessions) AS same,
        arraySort(arrayPopFront(arrayDifference(arrayMap(s -> s.1, same)))) AS pauses,
        arrayElement(pauses, intDiv(length(pauses) + 1, 2)) AS pause,
        arrayElement(pauses, intDiv(3 * length(pauses), 4) + 1) - arrayElement(pauses, intDiv(length(pauses), 4) + 1) AS pause_range
    FROM middled
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    length(same) / {connections:Float64} AS strength,
    map('alike', toFloat64(length(same)), 'all', toFloat64(length(all_sessions)), 'up', toFloat64(up_middle),
        'down', toFloat64(down_middle), 'pause', round(pause, 3)) AS inputs,
    map('service', spoken, 'server', toString(server)) AS texts,
    if(spoken = 'RDP', 60, 40) AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM alike
WHERE length(same) >= {connections:Float64}
    AND NOT (pause >= {poll_gap:Float64} AND pause_range <= {poll_spread:Float64} * pause)
