-- title: Password guessing
-- class: scanning
-- states: {subject} got {failed:refusal} of log-ins over {service} from {servers:server} ({server_list}) in {span} to
--   {to}, of {tried} that it tried.
-- states short: {subject} opened {failed:connection} over {service} to {servers:server} ({server_list}) in {span} to {to}
--   that ended as one does whose log-in is refused; {refused} refusals were seen as such.
-- subject: host
-- severity: high
-- clause: S9, L K15
-- window: 30m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: logins > 0 OR application = 'ssh'
-- rests_on: presence
-- parameter ssh_sessions: 30 | [S] Zeek, detect-bruteforcing, in 30 min | refused log-ins and short sessions of SSH
-- parameter refusals: 20 | [D] | refused log-ins of FTP, SMB, Kerberos, HTTP and the others in 15 min
-- parameter refused_share: 0.5 | [D] | part of the log-ins that are refused, less than which a busy machine makes by mistake
-- parameter short_bytes: 4000 | [S] Zeek, SSH::authentication_data_size | what a server of SSH sends at most to one that it refuses
-- parameter key_bytes: 800 | [D] | what a client of SSH sends at least before it can log in (RFC 4253, 7)
SELECT client FROM flows
WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
    -- Two columns tell for most rows that the other four need not be read.
    AND (logins > 0 OR application = 'ssh')
    AND (logins > 0 OR payload_up >= {key_bytes:Float64} AND payload_down BETWEEN 1 AND {short_bytes:Float64})
    AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
GROUP BY client, application
HAVING sum(if(logins = 0, 1, toUInt64(logins_failed))) >= least({refusals:Float64}, {ssh_sessions:Float64})
;
WITH
tries AS
(
    SELECT
        site, client, server, start,
        if(application = '', 'an unknown protocol', toString(application)) AS service,
        -- Where the end of a log-in was not seen, the length of the connection tells it.
        logins = 0 AS guessed,
        greatest(toUInt64(logins), 1) AS tried, if(guessed, 1, toUInt64(logins_failed)) AS refused,
        tuple(start, client, client_port, server, server_port, application, logins, logins_failed, sensor, flow_id) AS sample
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND client IN {suspects:Array(IPv6)}
        AND
        (
            logins > 0
            OR application = 'ssh' AND protocol = 6 AND start = first AND ended = 'closed' AND reset_by != 'server'
                AND payload_up >= {key_bytes:Float64} AND payload_down > 0 AND payload_down <= {short_bytes:Float64}
                AND end - start < 120
        )
),
steps AS
(
    SELECT
        site, client, service,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        sum(tried) AS step_tried, sum(refused) AS step_refused, sumIf(refused, guessed) AS step_guessed,
        uniqExactStateIf(server, refused > 0) AS servers_state,
        arraySlice(arraySort(groupUniqArrayIf(server, refused > 0)), 1, 6) AS step_servers,
        minIf(start, refused > 0) AS seen, maxIf(start, refused > 0) AS seen_last,
        groupArraySortedIf(10)(sample, refused > 0) AS samples
    FROM tries
    GROUP BY site, client, service, step
    HAVING step_refused > 0 OR step_tried > 0
),
windows AS
(
    SELECT
        site, client, service, step,
        service = 'ssh' AS long,
        arraySlice(arraySort(if(long, groupArrayArray(samples) OVER half, groupArrayArray(samples) OVER quarter)), 1, 10) AS samples,
        if(long, sum(step_tried) OVER half, sum(step_tried) OVER quarter) AS all_tried,
        if(long, sum(step_refused) OVER half, sum(step_refused) OVER quarter) AS all_refused,
        if(long, sum(step_guessed) OVER half, sum(step_guessed) OVER quarter) AS all_guessed,
        arraySort(if(long, groupUniqArrayArray(step_servers) OVER half, groupUniqArrayArray(step_servers) OVER quarter)) AS servers,
        if(long, uniqExactMerge(servers_state) OVER half, uniqExactMerge(servers_state) OVER quarter) AS server_count,
        if(long, minIf(seen, step_refused > 0) OVER half, minIf(seen, step_refused > 0) OVER quarter) AS `from`,
        if(long, max(seen_last) OVER half, max(seen_last) OVER quarter) AS `to`
    FROM steps
    WINDOW
        half AS (PARTITION BY site, client, service ORDER BY step
            RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW),
        quarter AS (PARTITION BY site, client, service ORDER BY step RANGE BETWEEN 840 PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    if(all_guessed * 2 > all_refused, 'short', '') AS variant,
    all_refused / if(long, {ssh_sessions:Float64}, {refusals:Float64}) AS strength,
    map('failed', toFloat64(all_refused), 'tried', toFloat64(all_tried), 'refused', toFloat64(all_refused - all_guessed),
        'servers', toFloat64(server_count)) AS inputs,
    map('service', service, 'span', if(long, '30 min', '15 min'),
        'server_list', arrayStringConcat(arrayMap(s -> toString(s), arraySlice(servers, 1, 5)), ', ')
            || if(server_count > 5, ', …', '')) AS texts,
    if(variant = 'short', 70, 95) AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE all_refused >= if(long, {ssh_sessions:Float64}, {refusals:Float64})
    AND all_refused >= {refused_share:Float64} * all_tried
