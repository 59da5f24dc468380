-- title: Several systems behind one address
-- class: equipment
-- states: {subject} ({mac}) opened connections as {families:system} in {window} to {to}: initial TTLs {ttls}, {signatures:form}
--   of SYN.
-- subject: host
-- severity: low
-- clause: S9d, L K17
-- window: 10m
-- step: 1m
-- lookback: 0s
-- reads: flows, sightings
-- rests_on: presence
-- parameter connections_each: 2 | [D] | connections of each family of initial TTL
-- parameter router_addresses: 8 | [D] | addresses before which a MAC is a router's
WITH
suspects AS
(
    SELECT client_mac AS mac FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND protocol = 6 AND syn_signature != '' AND start = first AND client_mac != 0
    GROUP BY client_mac
    HAVING (countIf(ttl_up_max IN (63, 64)) >= {connections_each:Float64})
        + (countIf(ttl_up_max IN (127, 128)) >= {connections_each:Float64})
        + (countIf(ttl_up_max IN (254, 255)) >= {connections_each:Float64}) >= 2
),
routers AS
(
    SELECT client_mac AS mac FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND client_mac IN (SELECT mac FROM suspects)
    GROUP BY client_mac HAVING uniq(client) > {router_addresses:Float64}
    UNION DISTINCT
    SELECT DISTINCT mac FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND has({approved_routers:Array(IPv6)}, ip)
),
steps AS
(
    SELECT
        site, client, client_mac,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        countIf(ttl_up_max IN (63, 64)) AS step_64,
        countIf(ttl_up_max IN (127, 128)) AS step_128,
        countIf(ttl_up_max IN (254, 255)) AS step_255,
        uniqExactState(syn_signature) AS signatures_state,
        min(start) AS seen, max(start) AS seen_last,
        groupArray(10)(tuple(start, client, server, server_port, ttl_up_max, syn_signature, sensor, flow_id)) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND protocol = 6 AND syn_signature != '' AND start = first AND client_mac IN (SELECT mac FROM suspects)
        -- Other values come from tools that choose their TTL, or from farther away.
        AND ttl_up_max IN (63, 64, 127, 128, 254, 255)
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT has({approved_routers:Array(IPv6)}, client)
        AND NOT has({router_macs:Array(UInt64)}, client_mac) AND NOT has({access_point_macs:Array(UInt64)}, client_mac)
        AND client_mac NOT IN (SELECT mac FROM routers)
    GROUP BY site, client, client_mac, step
),
windows AS
(
    SELECT
        site, client, client_mac, step, samples,
        sum(step_64) OVER w AS from_64,
        sum(step_128) OVER w AS from_128,
        sum(step_255) OVER w AS from_255,
        uniqExactMerge(signatures_state) OVER w AS signatures,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client, client_mac ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
counted AS
(
    SELECT
        *,
        arrayFilter(ttl -> ttl != '', [
            if(from_64 >= {connections_each:Float64}, '64', ''),
            if(from_128 >= {connections_each:Float64}, '128', ''),
            if(from_255 >= {connections_each:Float64}, '255', '')]) AS ttls
    FROM windows
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    toFloat64(length(ttls)) + signatures / 1000. AS strength,
    map('families', toFloat64(length(ttls)), 'signatures', toFloat64(signatures), 'ttl_64', toFloat64(from_64), 'ttl_128', toFloat64(from_128), 'ttl_255', toFloat64(from_255)) AS inputs,
    map('mac', MACNumToString(client_mac), 'ttls', arrayStringConcat(ttls, ' and ')) AS texts,
    70 AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM counted
WHERE length(ttls) >= 2 AND signatures >= 2
