-- title: Flood of made-up MAC addresses
-- class: equipment
-- states: {macs} MACs were each seen in one flow of one packet in VLAN {vlan} within {window} to {to}, {local} of them locally
--   administered: a switch's table is filled this way, and then shows everybody's frames.
-- subject: site
-- severity: high
-- clause: S9d, L K17
-- window: 1m
-- step: 10s
-- lookback: 0s
-- reads: flows
-- needs flows: packets_up = 1 AND client_mac != 0
-- suspects: piece
-- rests_on: presence
-- parameter macs_min: 1000 | [D] | MACs that nothing but one packet is known of
SELECT vlan FROM
(
    SELECT site, vlan, client_mac FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')} AND client_mac != 0
    GROUP BY site, vlan, client_mac
    HAVING count() = 1 AND sum(packets_up) = 1
)
GROUP BY site, vlan HAVING count() >= {macs_min:Float64}
;
WITH
once AS
(
    SELECT site, vlan, client_mac AS mac, min(start) AS since, min(client) AS address, min(server) AS target
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')} AND client_mac != 0
        AND vlan IN {suspects:Array(UInt16)}
        AND NOT has({router_macs:Array(UInt64)}, client_mac)
    GROUP BY site, vlan, client_mac
    HAVING count() = 1 AND sum(packets_up) = 1
),
steps AS
(
    SELECT
        site, vlan, toStartOfInterval(since, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_macs, countIf(bitTest(mac, 41)) AS step_local,
        min(since) AS seen, max(since) AS seen_last,
        groupArraySorted(10)(tuple(since, vlan, mac, address, target)) AS samples
    FROM once
    GROUP BY site, vlan, step
),
windows AS
(
    SELECT
        site, vlan, step, samples,
        sum(step_macs) OVER w AS macs, sum(step_local) OVER w AS made_up,
        min(seen) OVER w AS `from`, max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, vlan ORDER BY step RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, site AS subject,
    macs / {macs_min:Float64} AS strength,
    map('macs', toFloat64(macs), 'local', toFloat64(made_up)) AS inputs,
    map('vlan', toString(vlan)) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE macs >= {macs_min:Float64}
