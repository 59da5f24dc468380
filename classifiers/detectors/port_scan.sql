-- title: Port scan
-- class: scanning
-- states: {subject} tried {pairs:pair} of host and port in {window} to {to} and got no answer, a refusal, or a connection
--   that it left without a word: {ports:port} at {hosts:host}, most of them at {victim}.
-- subject: host
-- severity: medium
-- clause: S9, L K15
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: protocol = 6 AND (failed OR hollow)
-- rests_on: absence
-- parameter outside_pairs: 25 | [S] bro-simple-scan, addresses; [D] for ports | failed pairs of a host outside the sites
-- parameter inside_pairs: 50 | [D] | failed pairs of a host inside
-- parameter few_ports: 5 | [D] | failed ports of a host past which the host is a victim
-- parameter pairs_most: 100000 | [D] | tries of a host, past which a part of its pairs is counted
SELECT client FROM
(
    -- Without a host that was tried on many ports there is nothing to look at.
    SELECT client, uniq(server_port) AS ports FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND protocol = 6 AND (failed OR hollow)
    GROUP BY client, server HAVING ports > {few_ports:Float64}
)
GROUP BY client
HAVING sum(ports) >= if(arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}),
        {inside_pairs:Float64}, {outside_pairs:Float64})
    AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
;
WITH
failed_pairs AS
(
    SELECT
        site, client, server, server_port,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        min(start) AS seen, max(start) AS seen_last,
        min(sample) AS first_sample
    FROM
    (
        -- Whoever tries more is looked at in part: it is past every threshold, and memory stays bounded.
        SELECT
            site, client, server, server_port, start,
            tuple(start, client, client_port, server, server_port, protocol, state, sensor, flow_id) AS sample,
            1 + intDiv(count() OVER (PARTITION BY site, client), toUInt64({pairs_most:Float64})) AS part
        FROM flows
        WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
            AND client IN {suspects:Array(IPv6)} AND protocol = 6 AND (failed OR hollow)
    )
    WHERE cityHash64(server, server_port) % part = 0
    GROUP BY site, client, server, server_port, step
),
shaped AS
(
    SELECT *, uniqExact(server_port) OVER (PARTITION BY site, client, server) AS victim_ports FROM failed_pairs
),
steps AS
(
    SELECT
        site, client, step,
        uniqExactState((server, server_port)) AS pairs_state,
        uniqExactState(server) AS hosts_state,
        uniqExactState(server_port) AS ports_state,
        max((victim_ports, server)) AS worst,
        min(seen) AS seen, max(seen_last) AS seen_last,
        groupArraySorted(10)(first_sample) AS samples
    FROM shaped
    WHERE victim_ports > {few_ports:Float64}
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step,
        arraySlice(arraySort(groupArrayArray(samples) OVER w), 1, 10) AS samples,
        uniqExactMerge(pairs_state) OVER w AS pairs,
        uniqExactMerge(hosts_state) OVER w AS hosts,
        uniqExactMerge(ports_state) OVER w AS ports,
        max(worst) OVER w AS victim,
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
    map('victim', toString(victim.2)) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE pairs >= needed
