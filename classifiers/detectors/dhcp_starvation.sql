-- title: DHCP leases used up by one sender
-- class: equipment
-- states: {silent} MACs asked for an address by DHCP in VLAN {vlan} and got {offers:offer} in {window} to {to}, and said nothing else:
--   {local} of them are made up (locally administered). So a server's addresses are used up.
-- subject: site
-- severity: high
-- clause: S9d, L K17
-- window: 5m
-- step: 30s
-- lookback: 0s
-- reads: sightings
-- rests_on: absence
-- parameter silent_min: 100 | [D] | MACs that asked for an address and did nothing with it
-- parameter served_min: 0.5 | [D] | part of them that were offered one: without an answer everybody keeps asking
WITH
asked AS
(
    SELECT site, vlan, mac, min(ts) AS since
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source = 'dhcp_request' AND attributes['type'] = 'discover'
    GROUP BY site, vlan, mac
),
busy AS (SELECT site, vlan FROM asked GROUP BY site, vlan HAVING count() >= {silent_min:Float64}),
-- Whoever takes an address checks it and asks for its gateway (RFC 5227, 2.1).
alive AS
(
    SELECT DISTINCT mac FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')} AND source NOT IN ('dhcp_request', 'dhcp_offer', 'dhcp_ack')
),
offered AS
(
    SELECT DISTINCT MACStringToNum(attributes['client_mac']) AS mac FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source IN ('dhcp_offer', 'dhcp_ack') AND attributes['client_mac'] != ''
),
steps AS
(
    SELECT
        site, vlan, toStartOfInterval(since, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_silent, countIf(mac IN (SELECT mac FROM offered)) AS step_offers, countIf(bitTest(mac, 41)) AS step_local,
        min(since) AS seen, max(since) AS seen_last,
        groupArraySorted(10)(tuple(since, vlan, mac)) AS samples
    FROM asked
    WHERE (site, vlan) IN (SELECT site, vlan FROM busy) AND mac NOT IN (SELECT mac FROM alive)
    GROUP BY site, vlan, step
),
windows AS
(
    SELECT
        site, vlan, step, samples,
        sum(step_silent) OVER w AS silent, sum(step_offers) OVER w AS offers, sum(step_local) OVER w AS made_up,
        min(seen) OVER w AS `from`, max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, vlan ORDER BY step RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, site AS subject,
    silent / {silent_min:Float64} AS strength,
    map('silent', toFloat64(silent), 'offers', toFloat64(offers), 'local', toFloat64(made_up)) AS inputs,
    map('vlan', toString(vlan)) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE silent >= {silent_min:Float64} AND offers >= {served_min:Float64} * silent
