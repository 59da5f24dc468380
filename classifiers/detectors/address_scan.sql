-- title: Address scan
-- class: scanning
-- states: {subject} tried {tried:pair} of host and port in {window} to {to} and got no answer, a refusal, or a connection
--   that it left without a word: {hosts:host}, {unused} of them not heard of in the days before, on
--   {ports:port} ({port_list}).
-- states outage: {sources} hosts failed together in {window} to {to}, each on {pairs} or more pairs of host and
--   port: an outage, or a scan spread over many hosts. None of them is named on its own.
-- subject: host
-- severity: medium
-- clause: S9, L K15
-- window: 15m
-- step: 1m
-- lookback: 7d
-- reads: flows
-- rests_on: absence
-- parameter outside_pairs: 25 | [S] bro-simple-scan, addresses | failed pairs of a host outside the sites
-- parameter inside_pairs: 50 | [D] | failed pairs of a host inside
-- parameter unused_hosts: 3 | [D] | silent inside hosts tried, from which fewer pairs are enough
-- parameter unused_pairs: 10 | [D] | failed pairs that are enough then
-- parameter few_hosts: 5 | [D] | hosts tried on a port up to which the port is not swept
-- parameter few_ports: 5 | [D] | failed ports of a host past which it is the victim of a port scan, and not counted here
-- parameter udp_weight: 0.5 | [D] | weight of UDP or an echo request that nothing at all came back for
-- parameter outage_sources: 10 | [D] | inside hosts failing together that are an outage, not scanners
-- parameter outage_times: 5 | [D] | of these, one with so many times the pairs of the middle one is named all the same
-- parameter returns: 3 | [D] | minutes in which one host is asked by who watches over it, 2 min or more from first to last
-- parameter attended_share: 0.8 | [D] | part of the hosts inside asked on a port that it talks to or returns to, past which it watches over them
-- parameter pairs_most: 100000 | [D] | tries of a host, past which a part of its pairs is counted
SELECT client FROM
-- Whoever could pass a threshold by all that the range holds.
(
    SELECT
        client, uniq(server) AS hosts,
        uniqIf(server, protocol != 17 AND port NOT IN (515, 631, 9100)
            AND arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})) AS quiet
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
        AND start < {to:DateTime64(6, 'UTC')}
        AND (failed OR hollow) AND server_name = ''
        AND NOT (server BETWEEN toIPv6('::ffff:224.0.0.0') AND toIPv6('::ffff:255.255.255.255'))
        AND server < toIPv6('ff00::')
        AND (failed OR arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}))
        AND (protocol != 17
            OR application NOT IN ('stun', 'rtp', 'bittorrent', 'gnutella', 'ethereum', 'mdns', 'ssdp', 'llmnr', 'nbns', 'dhcp', 'dhcpv6')
            AND (application NOT IN ('dns', 'ntp', 'quic')
                OR arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})))
    GROUP BY client, protocol, if(protocol IN (1, 58), 0, server_port) AS port
    HAVING hosts > {few_hosts:Float64}
)
WHERE NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
GROUP BY client
HAVING sum(hosts) >= {unused_pairs:Float64}
    AND sum(hosts) >= multiIf(sum(quiet) >= {unused_hosts:Float64}, {unused_pairs:Float64},
        arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}), {inside_pairs:Float64},
        {outside_pairs:Float64})
;
WITH
-- Servers of DHCP ask for an address before they offer it (RFC 2131, 4.4.1).
lessors AS
(
    SELECT site, ip FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
        AND ts < {to:DateTime64(6, 'UTC')} AND source IN ('dhcp_offer', 'dhcp_ack')
),
tries AS
(
    SELECT
        site, client, server, if(protocol IN (1, 58), 0, server_port) AS port, protocol, start,
        packets_down > 0 AS reached, payload_down > 0 AS filled, hollow AS empty_handed, application,
        tuple(start, client, client_port, server, server_port, protocol, state, sensor, flow_id) AS sample,
        (
            failed
            -- Only a scan leaves many hosts inside without a word; browsers do so with servers outside.
            OR hollow AND arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        )
        -- A name just resolved is followed, not guessed.
        AND server_name = ''
        -- Multicast and broadcast have no single host that could answer.
        AND NOT (server BETWEEN toIPv6('::ffff:224.0.0.0') AND toIPv6('::ffff:255.255.255.255'))
        AND server < toIPv6('ff00::')
        AND
        (
            protocol != 17
            OR application NOT IN ('stun', 'rtp', 'bittorrent', 'gnutella', 'ethereum', 'mdns', 'ssdp', 'llmnr', 'nbns',
                'dhcp', 'dhcpv6')
            -- Resolvers, clocks and browsers ask many outside that do not answer.
            AND (application NOT IN ('dns', 'ntp', 'quic')
                OR arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}))
        )
        AND NOT (protocol = 1 AND (has({approved_dhcp:Array(IPv6)}, client) OR has({approved_routers:Array(IPv6)}, client)
            OR (site, client) IN (SELECT site, ip FROM lessors))) AS silent
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
        AND start < {to:DateTime64(6, 'UTC')} AND client IN {suspects:Array(IPv6)}
),
-- Whoever could pass a threshold by what the windows hold, and how many of 32 parts of its pairs are looked at. A window
-- touches two blocks of its own length, next to each other.
(
    SELECT groupArray((client, parts))
    FROM
    (
        SELECT
            client,
            -- Whoever tries more is looked at in part: it is past every threshold, and memory stays bounded.
            greatest(1, intDiv(32, 1 + intDiv(sum(hosts), toUInt64({pairs_most:Float64})))) AS parts
        FROM
        (
            SELECT
                client, uniq(server) AS hosts, uniqIf(server, block = 0) AS hosts_0, uniqIf(server, block = 1) AS hosts_1,
                uniqIf(server, block > 1) AS hosts_2,
                uniqIf(server, protocol != 17 AND port NOT IN (515, 631, 9100)
                    AND arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})) AS quiet
            FROM
            (
                SELECT
                    client, server, protocol, port,
                    intDiv(toUnixTimestamp64Micro(start) - toUnixTimestamp64Micro({from:DateTime64(6, 'UTC')}) - {lookback:UInt32} * 1000000,
                        {window:UInt32} * 1000000) AS block
                FROM tries
                WHERE silent
            )
            GROUP BY client, protocol, port HAVING hosts > {few_hosts:Float64}
        )
        GROUP BY client
        HAVING sum(hosts) >= {unused_pairs:Float64}
            AND greatest(sum(hosts_0), sum(hosts_2)) + sum(hosts_1) >= multiIf(sum(quiet) >= {unused_hosts:Float64}, {unused_pairs:Float64},
                arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}), {inside_pairs:Float64},
                {outside_pairs:Float64})
        ORDER BY sum(hosts) DESC, client LIMIT 1000
    )
) AS found,
looked_at AS
(
    SELECT * FROM tries
    WHERE (client, cityHash64(server, port, protocol) % 32) IN (SELECT f.1, arrayJoin(range(f.2)) FROM (SELECT arrayJoin(found) AS f))
),
-- Each pair by step; what was before the first window is one step. Of pairs that are in no window nothing is asked before.
stepwise AS
(
    SELECT
        site, client, server, port, protocol, toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        minIf(start, reached AND (filled OR empty_handed)) AS first_answer, countIf(reached AND (filled OR empty_handed)) AS answers,
        max(reached) AS was_reached, max(filled AND protocol NOT IN (1, 58)) AS talked,
        max(application IN ('bittorrent', 'gnutella', 'ethereum')) AS shares,
        min(start) AS first_try, max(start) AS last_try,
        countIf(silent) AS in_vain, minIf(start, silent) AS seen, maxIf(start, silent) AS seen_last,
        [minIf(sample, silent)] AS first_samples
    FROM looked_at
    GROUP BY site, client, server, port, protocol, step
    UNION ALL
    SELECT
        site, client, server, if(protocol IN (1, 58), 0, server_port) AS port, protocol, toDateTime(0, 'UTC') AS step,
        minIf(start, packets_down > 0 AND (payload_down > 0 OR hollow)) AS first_answer,
        countIf(packets_down > 0 AND (payload_down > 0 OR hollow)) AS answers,
        max(packets_down > 0) AS was_reached, false AS talked, false AS shares,
        min(start) AS first_try, max(start) AS last_try,
        0 AS in_vain, first_try AS seen, first_try AS seen_last, [] AS first_samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
        AND client IN (SELECT arrayJoin(found).1)
        AND cityHash64(client, server, port, protocol) IN (SELECT cityHash64(client, server, port, protocol) FROM looked_at)
    GROUP BY site, client, server, port, protocol
),
pairs_known AS
(
    SELECT
        *,
        arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}) AS to_inside,
        toUnixTimestamp(step) = 0 AS before_all,
        minIf(first_answer, answers > 0) OVER pair AS since, sum(answers) OVER pair AS answers_all,
        -- Clients of peer-to-peer networks try many that have gone, each where it last was.
        maxIf(shares, NOT before_all) OVER (PARTITION BY site, client) AS sharing,
        -- What was talked to in these windows, or asked again and again and answered.
        countIf(NOT before_all) OVER pair > 0
            AND (maxIf(talked, NOT before_all) OVER pair
                OR max(was_reached) OVER pair AND count() OVER pair >= {returns:Float64}
                    AND max(last_try) OVER pair >= min(first_try) OVER pair + toIntervalSecond(120)) AS attended
    FROM stepwise
    WINDOW pair AS (PARTITION BY site, client, server, port, protocol)
),
pairs_tried AS
(
    SELECT * FROM
    (
        SELECT
            *,
            -- Whoever attends to nearly all hosts inside that it asks on a port watches over them; some are down.
            uniqExactIf(server, attended) OVER port_inside
                > {attended_share:Float64} * uniqExactIf(server, NOT before_all) OVER port_inside AND to_inside AS watched
        FROM pairs_known
        WINDOW port_inside AS (PARTITION BY site, client, protocol, port, to_inside)
    )
    WHERE in_vain > 0 AND NOT before_all AND NOT watched
        -- What answered before is no guess of its own: a server that is off, a printer that was taken away.
        AND (answers_all = 0 OR since + INTERVAL 15 MINUTE > seen)
        AND NOT (port >= 1024 AND sharing AND NOT to_inside)
),
shaped AS
(
    SELECT
        *,
        uniqExact(server) OVER (PARTITION BY site, client, protocol, port) AS swept,
        uniqExact((protocol, port)) OVER (PARTITION BY site, client, server) AS victim_ports,
        uniqExact(client) OVER (PARTITION BY site, server) AS askers
    FROM pairs_tried
),
-- Inside hosts that asked for anything in the days before, or from which a packet was seen in the hour before.
used AS
(
    -- One key is half the cost of two, and few servers are of several sites.
    SELECT arrayJoin(groupUniqArray(site)) AS site, server AS host
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) - INTERVAL 1 HOUR
        AND start < {to:DateTime64(6, 'UTC')} AND packets_down > 0 AND notEmpty(found)
    GROUP BY server
    UNION ALL
    SELECT DISTINCT site, client AS host
    FROM hosts_1h
    WHERE hour >= {from:DateTime64(6, 'UTC')} AND hour < {to:DateTime64(6, 'UTC')}
),
-- Messages that something can't be reached make a silence a refusal (RFC 792, type 3; RFC 4443, type 1).
refusals AS
(
    SELECT
        site, server AS asker, toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        sum(packets_up) AS refused
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
        AND start < {to:DateTime64(6, 'UTC')} AND notEmpty(found)
        AND (protocol = 1 AND client_port = 3 OR protocol = 58 AND client_port = 1)
    GROUP BY site, asker, step
),
steps AS
(
    SELECT
        site, client, step,
        uniqExactStateIf((server, port), protocol = 6) AS tcp_state,
        uniqExactStateIf((server, port, protocol), protocol != 6) AS other_state,
        uniqExactState(server) AS hosts_state,
        uniqExactState((protocol, port)) AS ports_state,
        uniqExactStateIf(server, protocol != 17
            -- What computers look for by themselves where they were set up to print.
            AND port NOT IN (515, 631, 9100)
            AND arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
            -- What several hosts look for is a server that is away, not an address that nobody has.
            AND askers <= 2
            AND (site, server) NOT IN (SELECT site, host FROM used)) AS unused_state,
        groupUniqArray(port) AS step_ports,
        min(seen) AS seen, max(seen_last) AS seen_last,
        groupArraySorted(10)(first_samples[1]) AS samples
    FROM shaped
    WHERE swept > {few_hosts:Float64} AND victim_ports <= {few_ports:Float64}
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step,
        arraySlice(arraySort(groupArrayArray(samples) OVER w), 1, 10) AS samples,
        uniqExactMerge(tcp_state) OVER w AS tcp,
        uniqExactMerge(other_state) OVER w AS other,
        toFloat64(sum(refused) OVER w) AS messages,
        uniqExactMerge(hosts_state) OVER w AS hosts,
        uniqExactMerge(ports_state) OVER w AS ports,
        uniqExactMerge(unused_state) OVER w AS unused,
        groupUniqArrayArray(step_ports) OVER w AS port_list,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    LEFT JOIN refusals ON refusals.site = steps.site AND asker = client AND refusals.step = steps.step
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
weighed AS
(
    SELECT
        *,
        tcp + {udp_weight:Float64} * other + (1 - {udp_weight:Float64}) * least(toFloat64(other), messages) AS pairs,
        arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}) AS inside
    FROM windows
),
limited AS
(
    SELECT
        *,
        multiIf(unused >= {unused_hosts:Float64}, {unused_pairs:Float64}, inside, {inside_pairs:Float64},
            {outside_pairs:Float64}) AS needed
    FROM weighed
    WHERE pairs >= {unused_pairs:Float64}
),
counted AS
(
    SELECT
        *,
        -- Many from outside at once are the internet as it is.
        countIf(inside) OVER (PARTITION BY site, step) AS sources,
        quantileExactIf(0.5)(pairs, inside) OVER (PARTITION BY site, step) AS middle
    FROM limited
    WHERE pairs >= needed
),
named AS
(
    SELECT
        *,
        inside AND sources >= {outage_sources:Float64} AND pairs < {outage_times:Float64} * middle AS shared
    FROM counted
)
SELECT
    site, step, min(`from`) AS `from`, max(`to`) AS `to`,
    if(shared, 'site', 'host') AS subject_kind, if(shared, site, toString(client)) AS subject,
    if(shared, 'outage', '') AS variant,
    if(shared, toFloat64(count()), min(pairs / needed)) AS strength,
    if(shared, map('sources', toFloat64(count()), 'pairs', toFloat64(min(pairs))),
        map('pairs', toFloat64(min(pairs)), 'tried', toFloat64(min(tcp + other)), 'hosts', toFloat64(min(hosts)), 'ports', toFloat64(min(ports)),
            'unused', toFloat64(min(unused)))) AS inputs,
    map('port_list', arrayStringConcat(arrayMap(port -> if(port = 0, 'echo', toString(port)),
        arraySlice(arraySort(min(port_list) AS listed), 1, 6)), ', ') || if(length(listed) > 6, ', …', '')) AS texts,
    arraySlice(arrayMap(s -> toJSONString(s), arraySort(groupArrayArray(samples))), 1, 10) AS samples
FROM named
GROUP BY site, step, shared, subject
