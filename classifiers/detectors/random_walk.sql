-- title: Contacts that mostly fail
-- class: scanning
-- states: {subject} asked {contacts:host} for the first time in {window} to {to}, {failures} of them in vain: the odds
--   that it looks for hosts it does not know reached {odds} to 1, past {alarm}.
-- states outage: {sources} hosts each met {failures} or more new hosts in vain in {window} to {to}: an outage, or a scan
--   spread over many hosts. None of them is named on its own.
-- subject: host
-- severity: medium
-- clause: S9, L K15
-- window: 30m
-- step: 1m
-- lookback: 1d
-- reads: flows
-- rests_on: absence
-- parameter failure_factor: 4 | [S] Jung 2004, (1 - 0.2) / (1 - 0.8) | what a first contact in vain makes of the odds
-- parameter success_factor: 0.25 | [S] Jung 2004, 0.2 / 0.8 | what one with an answer makes of them
-- parameter alarm: 99 | [S] Jung 2004, 0.99 / 0.01 | odds past which it is a scan
-- parameter inside_failures: 25 | [D] | first contacts in vain that a host inside needs besides
-- parameter outage_sources: 10 | [D] | inside hosts past the alarm together that are an outage, not scanners
-- parameter contacts_most: 100000 | [D] | hosts met by one client, past which a part of them is counted
SELECT client FROM
-- Whoever met enough in vain within half an hour that it had not tried in vain the day before. The windows of a longer range
-- do not all look back at its first hours.
(
    SELECT
        client, arraySort(groupArrayIf(100000)(met, met > 0)) AS every, arraySort(groupArrayIf(100000)(met_less, met_less > 0)) AS less,
        toInt32(ceil(if(arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}),
            {inside_failures:Float64}, log({alarm:Float64}) / log({failure_factor:Float64})))) AS needed
    FROM
    (
        SELECT
            site, client, server,
            minIf(toUnixTimestamp64Micro(first), last >= begin) AS met,
            minIf(toUnixTimestamp64Micro(first), last >= begin AND contact) AS met_less
        FROM
        (
            SELECT
                site, client, server, protocol, first, last,
                {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AS begin,
                -- What clients of peer-to-peer networks try elsewhere is no contact.
                port < 1024 OR arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}) AS contact
            FROM failed_1h
            WHERE hour >= toStartOfHour({from:DateTime64(6, 'UTC')}) AND hour < {to:DateTime64(6, 'UTC')} AND protocol != 17
        )
        GROUP BY site, client, server
        HAVING met > 0 AND NOT max(protocol = 6 AND contact AND last >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({within:UInt32}) AND first < begin)
    )
    GROUP BY site, client
    HAVING length(every) >= needed
        AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
)
WHERE length(every) = 100000
    OR arrayExists((a, b) -> b - a <= 1800000000, arraySlice(every, 1, length(every) - needed + 1), arraySlice(every, needed))
    OR arrayExists((a, b) -> b - a <= 1800000000, arraySlice(less, 1, greatest(0, length(less) - needed + 1)), arraySlice(less, needed))
GROUP BY client
ORDER BY max(length(every)) DESC, client LIMIT 1000
;
WITH
-- Servers of DHCP ask for an address before they offer it (RFC 2131, 4.4.1).
lessors AS
(
    SELECT site, ip FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
        AND ts < {to:DateTime64(6, 'UTC')} AND source IN ('dhcp_offer', 'dhcp_ack')
),
-- Clients of peer-to-peer networks meet many outside that have gone.
sharers AS
(
    SELECT DISTINCT site, client FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
        AND start < {to:DateTime64(6, 'UTC')}
        AND application IN ('bittorrent', 'gnutella', 'ethereum') AND client IN {suspects:Array(IPv6)}
),
tries AS
(
    SELECT
        site, client, server, start, flow_id, failed AS vain,
        tuple(start, client, client_port, server, server_port, protocol, state, sensor, flow_id) AS sample
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND client IN {suspects:Array(IPv6)}
        AND (protocol = 6 AND (failed OR packets_down > 0) OR protocol IN (1, 58) AND client_port IN (8, 128))
        AND NOT (protocol = 1 AND (has({approved_dhcp:Array(IPv6)}, client) OR has({approved_routers:Array(IPv6)}, client)
            OR (site, client) IN (SELECT site, ip FROM lessors)))
        -- A connection that was left without a word is neither.
        AND NOT hollow
        AND NOT (server BETWEEN toIPv6('::ffff:224.0.0.0') AND toIPv6('::ffff:255.255.255.255'))
        AND server < toIPv6('ff00::')
        AND NOT (server_port >= 1024 AND (site, client) IN (SELECT site, client FROM sharers)
            AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}))
        -- A name just resolved is followed, not guessed.
        AND NOT (failed AND server_name != '')
),
-- Whoever met enough in vain that it had not tried in vain the day before: of these alone that day's flows are read.
(
    SELECT groupUniqArray(client)
    FROM
    (
        SELECT
            client, countIf(in_vain AND (site, client, server) NOT IN
            (
                SELECT site, client, server FROM failed_1h
                WHERE hour >= toStartOfHour({from:DateTime64(6, 'UTC')})
                    AND hour <= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
                    AND (first >= {from:DateTime64(6, 'UTC')} AND first < {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
                        OR last >= {from:DateTime64(6, 'UTC')} AND last < {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}))
                    AND protocol = 6 AND client IN {suspects:Array(IPv6)}
                    -- What clients of peer-to-peer networks try there is no contact.
                    AND (port < 1024 OR arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}))
            )) AS failures
        FROM
        (
            SELECT site, client, server, min(tuple(start, flow_id, vain)).3 AS in_vain
            FROM tries
            WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
            GROUP BY site, client, server
        )
        GROUP BY site, client
        HAVING failures >= if(arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}),
            {inside_failures:Float64}, log({alarm:Float64}) / log({failure_factor:Float64}))
    )
) AS walkers,
contacts AS
(
    SELECT
        site, client, server, min(start) AS met, min(tuple(start, flow_id, vain)).3 AS in_vain, min(sample) AS sample
    FROM tries
    WHERE client IN (SELECT arrayJoin(walkers))
    GROUP BY site, client, server
),
walks AS
(
    SELECT
        site, client, in_vain, sample,
        toUnixTimestamp64Micro(met) AS us,
        sum(if(in_vain, log({failure_factor:Float64}), log({success_factor:Float64}))) OVER (PARTITION BY site, client
            ORDER BY met, server ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS height
    FROM
    (
        SELECT
            *, 1 + intDiv(count() OVER (PARTITION BY site, client), toUInt64({contacts_most:Float64})) AS part
        FROM contacts
        WHERE met >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32})
    )
    WHERE cityHash64(server) % part = 0
),
-- The walk never falls below even odds, as a host may turn from its ways [S: Schechter, Jung and Berger 2004, 4]:
-- its height is then what it rose from its lowest point, here of the last half hour.
risen AS
(
    SELECT
        site, client, us, sample,
        height - min(height - if(in_vain, log({failure_factor:Float64}), log({success_factor:Float64}))) OVER w AS rise,
        count() OVER w AS contact_count,
        countIf(in_vain) OVER w AS failures,
        min(us) OVER w AS began
    FROM walks
    WINDOW w AS (PARTITION BY site, client ORDER BY us
        RANGE BETWEEN 1800000000 PRECEDING AND CURRENT ROW)
),
steps AS
(
    SELECT
        site, client,
        toStartOfInterval(fromUnixTimestamp64Micro(us, 'UTC'), toIntervalSecond({step:UInt32})) AS step,
        max(tuple(rise, failures, contact_count)) AS best,
        fromUnixTimestamp64Micro(min(began), 'UTC') AS `from`, fromUnixTimestamp64Micro(max(us), 'UTC') AS `to`,
        groupArraySorted(10)(sample) AS samples,
        arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)}) AS inside
    FROM risen
    WHERE exp(rise) > {alarm:Float64}
    GROUP BY site, client, step
),
counted AS
(
    SELECT
        *, inside AND countIf(inside) OVER (PARTITION BY site, step) >= {outage_sources:Float64} AS shared
    FROM steps
    WHERE NOT inside OR best.2 >= {inside_failures:Float64}
)
SELECT
    site, step, min(`from`) AS `from`, max(`to`) AS `to`,
    if(shared, 'site', 'host') AS subject_kind, if(shared, site, toString(client)) AS subject,
    if(shared, 'outage', '') AS variant,
    if(shared, toFloat64(count()), min(best.1 / log({alarm:Float64}))) AS strength,
    if(shared, map('sources', toFloat64(count()), 'failures', toFloat64(min(best.2))),
        map('contacts', toFloat64(min(best.3)), 'failures', toFloat64(min(best.2)), 'log_odds', round(min(best.1), 6))) AS inputs,
    map('odds', if(min(best.1) > 13.8, 'more than a million', toString(round(exp(min(best.1)))))) AS texts,
    arraySlice(arrayMap(s -> toJSONString(s), arraySort(groupArrayArray(samples))), 1, 10) AS samples
FROM counted
GROUP BY site, step, shared, subject
