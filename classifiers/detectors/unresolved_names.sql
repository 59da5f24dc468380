-- title: Names reached that were never asked for
-- class: circumvention
-- states: {subject} ({group}) opened {flows:connection} outside to {names:name} in {window} to {to}; {unasked_percent} % of them went to names that
--   it had not asked DNS for in the hour before, as a client of encrypted DNS does ({name_list}). {seen_percent} % of other hosts of its
--   VLAN asked for most of theirs. By behaviour.
-- states known: {subject} ({group}) opened {flows:connection} outside to {names:name} in {window} to {to}; {unasked_percent} % of them went to names that
--   it had not asked DNS for in the hour before ({name_list}); it was connected with encrypted resolvers: {doh_list}. {seen_percent} % of
--   other hosts of its VLAN asked for most of theirs. By behaviour.
-- subject: host
-- severity: low
-- clause: S11, L K5
-- window: 10m
-- step: 5m
-- lookback: 1h
-- reads: flows, dns
-- rests_on: absence
-- parameter flows_min: 30 | [D] | connections outside that told their server's name
-- parameter names_min: 8 | [D] | different names not asked for: one program may keep an address for days
-- parameter questions_most: 0.1 | [D] | questions for an IPv4 address, for each such connection of five minutes, from which on a host asks as others do
-- parameter unasked_share: 0.8 | [D] | part of the connections that went to names not asked for
-- parameter seen_hosts: 2 | [D] | other hosts of the VLAN that asked for most names they reached, without which its DNS may not come by the mirror
-- parameter seen_share: 0.5 | [D] | part of the other hosts that they are, of 50 at most
WITH
-- One tuple a host with named connections: site, VLAN, address, MAC, most connections in a step with few questions, all, questions.
(
    SELECT groupArray((site, vlan, client, mac, quiet, opened, asked))
    FROM
    (
        SELECT
            toString(f.site) AS site, f.client AS client, max(f.vlan) AS vlan, max(f.mac) AS mac, maxIf(f.flow_count, q.questions < {questions_most:Float64} * f.flow_count) AS quiet,
            sum(f.flow_count) AS opened, sum(q.questions) AS asked
        FROM
        (
            SELECT site, client, toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
                max(vlan) AS vlan, max(client_mac) AS mac, count() AS flow_count
            FROM flows
            WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
                AND name_source IN ('sni', 'quic') AND start = first AND NOT has(categories, 'doh')
            GROUP BY site, client, step
        ) AS f
        LEFT JOIN
        (
            SELECT site, client, toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step, count() AS questions
            FROM dns
            WHERE ts >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND ts < {to:DateTime64(6, 'UTC')}
                AND transport IN ('udp', 'tcp') AND qtype = 1 AND NOT has(categories, 'doh')
            GROUP BY site, client, step
        ) AS q USING (site, client, step)
        GROUP BY f.site, f.client
        HAVING opened >= 3
    )
) AS measured,
hosts AS
(
    SELECT
        m.1 AS site, m.2 AS vlan, m.3 AS client, m.4 AS mac, m.5 AS quiet, m.6 AS opened,
        client BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255') AS old
    FROM (SELECT arrayJoin(measured) AS m)
    WHERE arrayExists((a, b) -> m.3 BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT has({resolvers:Array(IPv6)}, m.3)
),
-- Of a window's two steps one has half of what the window must have.
quiet AS (SELECT site, vlan, client, mac, old FROM hosts WHERE 2 * quiet >= {unasked_share:Float64} * {flows_min:Float64}),
-- What they are held against, where there is any: of two addresses of a host only one asks, most often the IPv4 one.
others AS
(
    SELECT site, vlan, groupArraySorted(50)((cityHash64(client), client)) AS some
    FROM hosts
    WHERE old AND (site, vlan) IN (SELECT site, vlan FROM quiet)
    GROUP BY site, vlan
),
-- Addresses with their connections to names that they asked for and not: all, and of the step that is furthest past.
(
    SELECT groupArray((client, unasked, all, strange))
    FROM
    (
        SELECT client, sum(step_unasked) AS unasked, sum(step_flows) AS all,
            -- Of a window's two steps one has half of what the window must have, and more than half of its share.
            max(2 * step_unasked >= {unasked_share:Float64} * {flows_min:Float64} AND step_unasked >= 0.6 * step_flows) AS strange
        FROM
        (
            SELECT client, count() AS step_flows,
                countIf((client, cityHash64(server_name)) NOT IN
                (
                    SELECT client, cityHash64(qname) FROM dns
                    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')} AND transport IN ('udp', 'tcp')
                        AND client IN (SELECT client FROM quiet UNION ALL SELECT (arrayJoin(some)).2 FROM others)
                )) AS step_unasked
            FROM flows
            WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
                AND name_source IN ('sni', 'quic') AND start = first AND NOT has(categories, 'doh')
                AND client IN (SELECT client FROM quiet UNION ALL SELECT (arrayJoin(some)).2 FROM others)
            GROUP BY client, toStartOfInterval(start, toIntervalSecond({step:UInt32}))
        )
        GROUP BY client
    )
) AS judged,
seen AS
(
    SELECT site, vlan, countIf(asks) AS asking, count() AS held
    FROM
    (
        SELECT o.site AS site, o.vlan AS vlan, o.client AS client, 2 * j.2 <= j.3 AS asks
        FROM (SELECT site, vlan, (arrayJoin(some)).2 AS client FROM others) AS o
        JOIN (SELECT arrayJoin(judged) AS j, j.1 AS client) AS k ON o.client = k.client
    )
    GROUP BY site, vlan
),
suspects AS
(
    SELECT q.site AS site, q.client AS client, q.mac AS mac, q.old AS old, s.asking AS asking, s.held AS held
    FROM quiet AS q JOIN seen AS s ON q.site = s.site AND q.vlan = s.vlan
    WHERE q.client IN (SELECT j.1 FROM (SELECT arrayJoin(judged) AS j) WHERE j.4)
        AND s.asking >= {seen_hosts:Float64} AND s.asking >= {seen_share:Float64} * (s.held - 1)
),
-- The addresses of one interface are one host; behind a router the MAC says nothing.
cards AS
(
    SELECT toString(site) AS site, client_mac AS mac, groupUniqArray(client) AS addresses
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        AND client_mac != 0 AND client_mac IN (SELECT mac FROM suspects)
        AND NOT has({router_macs:Array(UInt64)}, client_mac)
    GROUP BY site, mac
    HAVING length(addresses) <= 8
),
(
    SELECT groupArray((s.site, s.client, if(empty(c.addresses), [s.client], c.addresses), s.old, s.asking, s.held))
    FROM suspects AS s LEFT JOIN cards AS c ON s.site = c.site AND s.mac = c.mac
) AS known,
steps AS
(
    SELECT
        site, client, toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step, min(`group`) AS step_group,
        -- The resolver's own name has to be asked for.
        has(categories, 'doh') AS doh,
        NOT doh AND (client, cityHash64(server_name)) NOT IN
        (
            SELECT a.client, cityHash64(d.qname)
            FROM dns AS d JOIN (SELECT k.2 AS client, arrayJoin(k.3) AS address FROM (SELECT arrayJoin(known) AS k)) AS a ON d.client = a.address
            WHERE d.ts >= {from:DateTime64(6, 'UTC')} AND d.ts < {to:DateTime64(6, 'UTC')} AND d.transport IN ('udp', 'tcp')
                AND has(arrayFlatten(arrayMap(k -> k.3, known)), d.client)
        ) AS unasked,
        count() AS step_flows,
        groupUniqArray(server_name) AS step_names,
        min(start) AS seen_first, max(start) AS seen_last,
        groupArraySorted(10)(tuple(start, client, server, server_port, application, server_name, name_source, sensor, flow_id)) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
        AND name_source IN ('sni', 'quic') AND start = first
        AND has(arrayMap(k -> k.2, known), client)
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
    GROUP BY site, client, step, doh, unasked
),
windows AS
(
    SELECT
        toString(site) AS place, client, step, step_group, samples, unasked AS own,
        sumIf(step_flows, NOT doh) OVER w AS flow_count,
        sumIf(step_flows, unasked) OVER w AS unasked_count,
        groupUniqArrayArrayIf(step_names, unasked) OVER w AS names,
        groupUniqArrayArrayIf(step_names, doh) OVER w AS doh_names,
        min(seen_first) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    place AS site, step, `from`, `to`, toString(windows.client) AS subject,
    if(empty(doh_names), '', 'known') AS variant,
    unasked_count / {flows_min:Float64} AS strength,
    map('flows', toFloat64(flow_count), 'names', toFloat64(length(names)), 'unasked_percent', round(100 * unasked_count / flow_count),
        'seen_percent', round(100 * asking / greatest(held - 1, asking))) AS inputs,
    map('group', if(step_group = '', 'no group', toString(step_group)), 'name_list', arrayStringConcat(arraySlice(arraySort(names), 1, 5), ', '),
        'doh_list', arrayStringConcat(arraySlice(arraySort(doh_names), 1, 3), ', ')) AS texts,
    if(variant = 'known', 85, 60) AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows JOIN (SELECT k.1 AS site, k.2 AS client, k.4 AS old, k.5 AS asking, k.6 AS held FROM (SELECT arrayJoin(known) AS k)) AS suspects
    ON windows.place = suspects.site AND windows.client = suspects.client
WHERE own AND flow_count >= {flows_min:Float64} AND unasked_count >= {unasked_share:Float64} * flow_count AND length(names) >= {names_min:Float64}
    -- Of an IPv6 address nothing can be said where neither it nor a sister address is seen to ask.
    AND (old OR unasked_count < flow_count)
