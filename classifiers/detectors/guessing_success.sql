-- title: Log-in after password guessing
-- class: scanning
-- states: {subject} logged in over {service} to {server} at {moment}, after {failed:refusal} over {service} in the {span}
--   before, {here} of them by that server.
-- subject: host
-- severity: high
-- clause: S9, L K15
-- window: 30m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: logins > 0 OR application = 'ssh'
-- rests_on: presence
-- parameter ssh_sessions: 30 | [S] Zeek, detect-bruteforcing, in 30 min | refused log-ins of SSH before
-- parameter refusals: 20 | [D] | refused log-ins of FTP, SMB, Kerberos, HTTP and the others in 15 min before
-- parameter refused_share: 0.5 | [D] | part of the log-ins before that were refused
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
    AND max(logins > logins_failed)
;
WITH
tries AS
(
    SELECT
        site, client, server, start, flow_id,
        if(application = '', 'an unknown protocol', toString(application)) AS service,
        greatest(toUInt64(logins), 1) AS tried, if(logins = 0, 1, toUInt64(logins_failed)) AS refused,
        logins > logins_failed AS entered,
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
walked AS
(
    SELECT
        site, client, server, service, start, flow_id, entered, sample,
        service = 'ssh' AS long,
        -- Refusals of the same connection count: the last guess of it was right.
        if(long, sum(refused) OVER half, sum(refused) OVER quarter) AS failed_before,
        if(long, sum(tried) OVER half, sum(tried) OVER quarter) AS tried_before,
        if(long, sum(refused) OVER half_here, sum(refused) OVER quarter_here) AS here,
        if(long, min(start) OVER half, min(start) OVER quarter) AS began
    FROM tries
    WINDOW
        half AS (PARTITION BY site, client, service ORDER BY toUnixTimestamp64Micro(start)
            RANGE BETWEEN 1800000000 PRECEDING AND CURRENT ROW),
        quarter AS (PARTITION BY site, client, service ORDER BY toUnixTimestamp64Micro(start)
            RANGE BETWEEN 900000000 PRECEDING AND CURRENT ROW),
        half_here AS (PARTITION BY site, client, service, server ORDER BY toUnixTimestamp64Micro(start)
            RANGE BETWEEN 1800000000 PRECEDING AND CURRENT ROW),
        quarter_here AS (PARTITION BY site, client, service, server ORDER BY toUnixTimestamp64Micro(start)
            RANGE BETWEEN 900000000 PRECEDING AND CURRENT ROW)
),
entries AS
(
    SELECT
        *, failed_before / if(long, {ssh_sessions:Float64}, {refusals:Float64}) AS times,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step
    FROM walked
    WHERE entered AND times >= 1 AND failed_before >= {refused_share:Float64} * tried_before
)
SELECT
    site, step, min(began) AS `from`, max(start) AS `to`, toString(client) AS subject,
    max(times) AS strength,
    min(tuple(start, flow_id, server, failed_before, here, service, long)) AS earliest,
    map('failed', toFloat64(earliest.4), 'here', toFloat64(earliest.5), 'entries', toFloat64(count())) AS inputs,
    map('service', earliest.6, 'server', toString(earliest.3), 'span', if(earliest.7, '30 min', '15 min'),
        'moment', formatDateTime(earliest.1, '%H:%i:%S', 'UTC') || ' UTC') AS texts,
    90 AS confidence,
    arrayMap(s -> toJSONString(s), groupArraySorted(10)(sample)) AS samples
FROM entries
GROUP BY site, step, client
