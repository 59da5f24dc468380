-- title: Port scan
-- class: scanning
-- states: {subject} tried {pairs:pair} of host and port without success in {window} to {to}: {ports:port} at {hosts:host},
--   most of them at {victim}.
-- subject: host
-- severity: medium
-- clause: S9, L K15
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- rests_on: absence
-- parameter outside_pairs: 25 | [S] bro-simple-scan, addresses; [D] for ports | failed pairs of a host outside the sites
-- parameter inside_pairs: 50 | [D] | failed pairs of a host inside
-- parameter few_ports: 5 | [D] | failed ports of a host past which the host is a victim
WITH
silent AS
(
    SELECT
        site, client, server, server_port, start,
        tuple(start, client, client_port, server, server_port, protocol, state, sensor, flow_id) AS sample
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND protocol = 6 AND state IN ('S0', 'REJ', 'RSTOS0', 'SH')
        AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
),
failed AS
(
    SELECT
        site, client, server, server_port,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        min(start) AS seen, max(start) AS seen_last,
        any(sample) AS sample
    FROM silent
    WHERE (client, server) IN
        (
            SELECT client, server FROM silent
            GROUP BY client, server HAVING uniqExact(server_port) > {few_ports:Float64}
        )
    GROUP BY site, client, server, server_port, step
),
steps AS
(
    SELECT
        site, client, step,
        uniqExactState((server, server_port)) AS pairs_state,
        uniqExactState(server) AS hosts_state,
        uniqExactState(server_port) AS ports_state,
        topKState(1)(server) AS victim_state,
        min(seen) AS seen, max(seen_last) AS seen_last,
        groupArray(10)(sample) AS samples
    FROM failed
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step, samples,
        uniqExactMerge(pairs_state) OVER w AS pairs,
        uniqExactMerge(hosts_state) OVER w AS hosts,
        uniqExactMerge(ports_state) OVER w AS ports,
        topKMerge(1)(victim_state) OVER w AS victims,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`,
        if(arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}),
            {inside_pairs:Float64}, {outside_pairs:Float64}) AS needed
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    pairs / needed AS strength,
    map('pairs', toFloat64(pairs), 'hosts', toFloat64(hosts), 'ports', toFloat64(ports)) AS inputs,
    map('victim', toString(victims[1])) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE pairs >= needed
