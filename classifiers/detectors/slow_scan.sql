-- title: Slow scan
-- class: scanning
-- states: {subject} tried {pairs:pair} of host and port without success from {from} on, in {hours:hour} of one day:
--   {hosts:host} and {ports:port}, {share} % of all that it tried.
-- subject: host
-- severity: medium
-- clause: S9, L K15
-- window: 1d
-- step: 1h
-- lookback: 7d
-- reads: flows
-- needs flows: failed
-- rests_on: absence
-- parameter pairs: 50 | [D] | failed pairs of host and port
-- parameter ratio: 0.5 | [D] | part of all its pairs that failed
-- parameter hours: 4 | [D] | hours with new failed pairs
-- parameter pairs_most: 100000 | [D] | failed pairs of a host, past which a part of them is counted
-- parameter outage_sources: 10 | [D] | inside hosts past the thresholds together that are an outage, not scanners
-- states outage: {sources} hosts each tried {pairs} or more pairs of host and port without success in one day, from {from}
--   on: an outage, or a scan spread over many hosts. None of them is named on its own.
SELECT client FROM
(
    SELECT client, uniqIf(pair, in_vain) AS failures FROM
    -- Whoever failed at pairs enough in a day, for those that answered in two whole hours that are part of all windows.
    (
        SELECT
            site, client, hour, true AS in_vain, cityHash64(server, port, protocol) AS pair
        FROM failed_1h
        WHERE hour >= toStartOfHour({from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}))
            AND hour < {to:DateTime64(6, 'UTC')}
        UNION ALL
        SELECT
            site, client, toDateTime(0, 'UTC') AS hour, false AS in_vain,
            cityHash64(server, toUInt16(if(protocol IN (1, 58), 0, server_port)), protocol) AS pair
        FROM flows
        WHERE start >= {since:DateTime64(6, 'UTC')} - INTERVAL 2 HOUR AND start < {since:DateTime64(6, 'UTC')}
            -- Of whoever failed at few pairs, or in few hours, it does not matter what answered.
            AND client IN
            (
                SELECT client FROM failed_1h
                WHERE hour >= toStartOfHour(greatest({from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}), toDateTime64(0, 6, 'UTC')))
                    AND hour < {to:DateTime64(6, 'UTC')}
                GROUP BY site, client
                HAVING uniq(hour) >= {hours:Float64} AND count() >= {pairs:Float64}
            )
            AND payload_down > 0 AND state NOT IN ('S0', 'REJ', 'RSTOS0', 'SH')
    )
    GROUP BY site, client
    HAVING failures >= {pairs:Float64} AND uniqIf(hour, in_vain) >= {hours:Float64}
        AND failures >= {ratio:Float64} * uniq(pair)
        AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
)
GROUP BY client
ORDER BY max(failures) DESC, client LIMIT 1000
;
WITH
-- Servers of DHCP ask once for an address before they offer it (RFC 2131, 4.4.1): days of leases are many such.
lessors AS
(
    SELECT site, ip FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
        AND ts < {to:DateTime64(6, 'UTC')} AND source IN ('dhcp_offer', 'dhcp_ack')
),
-- What each of them got an answer from, and since when; clients of peer-to-peer networks are known by their own.
answered AS
(
    SELECT
        site, client, server, if(protocol IN (1, 58), 0, server_port) AS port, protocol,
        min(start) AS since, groupUniqArray(toStartOfHour(start)) AS hours_seen,
        max(application IN ('bittorrent', 'gnutella', 'ethereum')) AS sharing
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND client IN {suspects:Array(IPv6)} AND packets_down > 0 AND NOT failed AND NOT hollow
    GROUP BY site, client, server, port, protocol
),
pairs_tried AS
(
    SELECT
        site, client, server, port, protocol, hour, in_vain, first, last,
        1 + intDiv(count() OVER (PARTITION BY site, client), toUInt64({pairs_most:Float64})) AS part
    FROM
    (
        SELECT
            site, client, server, port, protocol, failed_1h.hour AS hour, true AS in_vain,
            min(failed_1h.first) AS first, max(failed_1h.last) AS last
        FROM failed_1h
        LEFT ANTI JOIN (SELECT * FROM answered WHERE since < {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}))
            AS known USING (site, client, server, port, protocol)
        WHERE hour >= toStartOfHour({from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}))
            AND hour < {to:DateTime64(6, 'UTC')}
            AND client IN {suspects:Array(IPv6)}
            AND NOT (protocol = 1 AND (has({approved_dhcp:Array(IPv6)}, client) OR has({approved_routers:Array(IPv6)}, client)
                OR (site, client) IN (SELECT site, ip FROM lessors)))
            AND NOT (port >= 1024 AND (site, client) IN (SELECT site, client FROM answered WHERE sharing = 1)
                AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}))
        GROUP BY site, client, server, port, protocol, hour
        UNION ALL
        SELECT
            site, client, server, port, protocol, toDateTime(arrayJoin(hours_seen), 'UTC') AS hour, false AS in_vain,
            since AS first, since AS last
        FROM answered
        WHERE hour >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
    )
),
steps AS
(
    SELECT
        site, client, hour AS step,
        uniqExactStateIf((server, port, protocol), in_vain) AS pairs_state,
        uniqExactStateIf(server, in_vain) AS hosts_state,
        uniqExactStateIf((protocol, port), in_vain) AS ports_state,
        uniqExactState((server, port, protocol)) AS all_state,
        max(in_vain) AS active,
        minIf(first, in_vain) AS seen, maxIf(last, in_vain) AS seen_last,
        groupArraySortedIf(10)(tuple(first, client, server, port, protocol), in_vain) AS samples
    FROM pairs_tried
    WHERE cityHash64(server, port, protocol) % part = 0
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step, active,
        arraySlice(arraySort(groupArrayArray(samples) OVER w), 1, 10) AS samples,
        uniqExactMerge(pairs_state) OVER w AS pair_count,
        uniqExactMerge(hosts_state) OVER w AS hosts_tried,
        uniqExactMerge(ports_state) OVER w AS ports,
        uniqExactMerge(all_state) OVER w AS whole,
        countIf(active) OVER w AS active_hours,
        minIf(seen, active) OVER w AS `from`,
        maxIf(seen_last, active) OVER w AS `to`,
        arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}) AS inside
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
counted AS
(
    SELECT
        *, inside AND countIf(inside) OVER (PARTITION BY site, step) >= {outage_sources:Float64} AS shared
    FROM windows
    WHERE active AND pair_count >= {pairs:Float64} AND pair_count >= {ratio:Float64} * whole AND active_hours >= {hours:Float64}
)
SELECT
    site, toDateTime64(step, 6, 'UTC') AS step, min(`from`) AS `from`, max(`to`) AS `to`,
    if(shared, 'site', 'host') AS subject_kind, if(shared, site, toString(client)) AS subject,
    if(shared, 'outage', '') AS variant,
    if(shared, toFloat64(count()), min(pair_count) / {pairs:Float64}) AS strength,
    if(shared, map('sources', toFloat64(count()), 'pairs', toFloat64(min(pair_count))),
        map('pairs', toFloat64(min(pair_count)), 'hosts', toFloat64(min(hosts_tried)), 'ports', toFloat64(min(ports)),
            'hours', toFloat64(min(active_hours)), 'ratio', round(min(pair_count / whole), 4))) AS inputs,
    map('share', toString(toUInt8(floor(100 * min(pair_count / whole))))) AS texts,
    arraySlice(arrayMap(s -> toJSONString(s), arraySort(groupArrayArray(samples))), 1, 10) AS samples
FROM counted
GROUP BY site, step, shared, subject
