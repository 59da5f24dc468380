-- title: IP protocol scan
-- class: scanning
-- states: {subject} sent packets of {tried:protocol} of IP beside TCP, UDP and ICMP to {victim} in {window} to {to}
--   ({protocol_list}); {refused:message} that a protocol is not there came back.
-- subject: host
-- severity: medium
-- clause: S9, L K15
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: protocol NOT IN (1, 6, 17, 58) OR protocol = 1 AND client_port = 3 AND server_port = 2
--   OR protocol = 58 AND client_port = 4 AND server_port = 1
-- rests_on: presence
-- parameter protocols: 8 | [D] | IP protocols at one host: a router speaks three or four to another
WITH
steps AS
(
    SELECT
        site,
        -- The message that a protocol is not there comes from the victim (RFC 792, type 3, code 2; RFC 4443, type 4, code 1).
        if(protocol IN (1, 58), server, client) AS scanner,
        if(protocol IN (1, 58), client, server) AS victim,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        groupUniqArrayIf(protocol, protocol NOT IN (1, 58)) AS step_protocols,
        sumIf(packets_up, protocol IN (1, 58)) AS refusals,
        minIf(start, protocol NOT IN (1, 58)) AS seen, maxIf(start, protocol NOT IN (1, 58)) AS seen_last,
        groupArraySortedIf(10)(tuple(start, client, server, protocol, packets_up, packets_down, sensor, flow_id),
            protocol NOT IN (1, 58)) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND
        (
            protocol NOT IN (1, 6, 17, 58)
            OR protocol = 1 AND client_port = 3 AND server_port = 2
            OR protocol = 58 AND client_port = 4 AND server_port = 1
        )
    GROUP BY site, scanner, victim, step
),
windows AS
(
    SELECT
        site, scanner, victim, step,
        arraySlice(arraySort(groupArrayArray(samples) OVER w), 1, 10) AS samples,
        arraySort(groupUniqArrayArray(step_protocols) OVER w) AS protocols,
        sum(refusals) OVER w AS refused,
        minIf(seen, notEmpty(step_protocols)) OVER w AS `from`,
        maxIf(seen_last, notEmpty(step_protocols)) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, scanner, victim ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(scanner) AS subject,
    length(protocols) / {protocols:Float64} AS strength,
    map('tried', toFloat64(length(protocols)), 'refused', toFloat64(refused)) AS inputs,
    map('victim', toString(victim),
        'protocol_list', arrayStringConcat(arrayMap(p -> toString(p), arraySlice(protocols, 1, 8)), ', ') || if(length(protocols) > 8, ', …', '')) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE length(protocols) >= {protocols:Float64}
    AND NOT arrayExists((a, b) -> scanner BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
