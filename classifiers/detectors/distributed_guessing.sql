-- title: Password guessing by many hosts
-- class: scanning
-- states: {sources:host} together got {failed:refusal} of log-ins over {service} from {subject} in {window} to {to}, none
--   of them {each} or more; {succeeded} others succeeded. Many hosts with an old password, or a server that refuses
--   everybody, look the same.
-- subject: server
-- severity: high
-- clause: S9, L K15
-- window: 30m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: logins > 0
-- rests_on: presence
-- parameter sources: 10 | [D] | hosts that are refused
-- parameter refusals: 40 | [D] | refused log-ins of all of them
-- parameter refused_share: 0.5 | [D] | part of the server's log-ins that are refused
-- parameter each: 20 | [D] | refused log-ins of one host, from which it is named by itself and not counted here
WITH
tries AS
(
    SELECT
        site, client, server, start,
        if(application = '', 'an unknown protocol', toString(application)) AS service,
        toUInt64(logins) AS tried, toUInt64(logins_failed) AS refused,
        tuple(start, client, client_port, server, server_port, application, logins, logins_failed, sensor, flow_id) AS sample
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')} AND logins > 0
        AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
),
steps AS
(
    SELECT
        site, server, service, client,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        sum(tried) AS step_tried, sum(refused) AS step_refused,
        min(start) AS seen, max(start) AS seen_last,
        groupArraySortedIf(10)(sample, refused > 0) AS samples
    FROM tries
    WHERE (site, server, service) IN
        (
            SELECT site, server, service FROM tries
            GROUP BY site, server, service
            HAVING sum(refused) >= {refusals:Float64} AND uniqIf(client, refused > 0) >= {sources:Float64}
        )
    GROUP BY site, server, service, client, step
),
-- One who is refused that often makes a finding of his own.
shared AS
(
    SELECT
        *, sum(step_refused) OVER (PARTITION BY site, server, service, client ORDER BY step
            RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW) AS own
    FROM steps
),
summed AS
(
    SELECT
        site, server, service, step,
        sum(step_tried) AS step_tried, sumIf(step_refused, own < {each:Float64}) AS step_refused,
        uniqExactStateIf(client, step_refused > 0 AND own < {each:Float64}) AS clients_state,
        min(shared.seen) AS seen, max(shared.seen_last) AS seen_last,
        arraySlice(arraySort(groupArrayArray(shared.samples)), 1, 10) AS samples
    FROM shared
    GROUP BY site, server, service, step
),
windows AS
(
    SELECT
        site, server, service, step,
        arraySlice(arraySort(groupArrayArray(samples) OVER w), 1, 10) AS samples,
        sum(step_tried) OVER w AS tried,
        sum(step_refused) OVER w AS refused,
        uniqExactMerge(clients_state) OVER w AS hosts,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM summed
    WINDOW w AS (PARTITION BY site, server, service ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(server) AS subject,
    refused / {refusals:Float64} AS strength,
    map('sources', toFloat64(hosts), 'failed', toFloat64(refused), 'succeeded', toFloat64(tried - refused)) AS inputs,
    map('service', service) AS texts,
    70 AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE refused >= {refusals:Float64} AND hosts >= {sources:Float64} AND refused >= {refused_share:Float64} * tried
