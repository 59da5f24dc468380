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
-- suspects: piece
-- rests_on: absence
-- parameter flows_min: 30 | [D] | connections outside that told their server's name
-- parameter names_min: 8 | [D] | different names not asked for: one program may keep an address for days
-- parameter questions_most: 0.1 | [D] | questions for an IPv4 address, for each such connection of five minutes, from which on a host asks as others do
-- parameter unasked_share: 0.8 | [D] | part of the connections that went to names not asked for
-- parameter seen_hosts: 2 | [D] | other hosts of the VLAN that asked for most names they reached, without which its DNS may not come by the mirror
-- parameter seen_share: 0.5 | [D] | part of the other hosts that they are, of 50 at most
WITH
-- Hosts with many connections in a step and few questions: of a window's two steps one has half of what the window must have.
(
    SELECT groupUniqArray(f.client)
    FROM
    (
        SELECT toString(site) AS site, client, toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step, count() AS flow_count
        FROM flows
        WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
            -- Connections with encrypted resolvers are few, and counted here: to read the categories of all costs more.
            AND name_source IN ('sni', 'quic') AND start = first
        GROUP BY site, client, step
        HAVING 2 * flow_count >= {unasked_share:Float64} * {flows_min:Float64}
    ) AS f
    LEFT JOIN
    (
        SELECT toString(site) AS site, client, toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step, count() AS questions
        FROM dns
        WHERE ts >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND ts < {to:DateTime64(6, 'UTC')}
            AND transport IN ('udp', 'tcp') AND qtype = 1 AND NOT has(categories, 'doh')
        GROUP BY site, client, step
    ) AS q USING (site, client, step)
    WHERE questions < {questions_most:Float64} * flow_count
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT has({resolvers:Array(IPv6)}, client)
) AS quiet
SELECT client
FROM
(
    SELECT
        client, count() AS step_flows,
        countIf((toString(site), client, cityHash64(server_name)) NOT IN
        (
            SELECT toString(site), client, cityHash64(qname) FROM dns
            WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')} AND transport IN ('udp', 'tcp')
                AND client IN (SELECT arrayJoin(quiet))
        )) AS step_unasked
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
        AND name_source IN ('sni', 'quic') AND start = first AND NOT has(categories, 'doh')
        AND client IN (SELECT arrayJoin(quiet))
    GROUP BY site, client, toStartOfInterval(start, toIntervalSecond({step:UInt32}))
)
WHERE 2 * step_unasked >= {unasked_share:Float64} * {flows_min:Float64} AND step_unasked >= 0.6 * step_flows
;
WITH
-- Hosts that may be it, and those that they are held against, 50 of a VLAN at most: site, VLAN, address, MAC, quiet, old, held against.
-- A scalar that is named again is planned again, with all that it names: each is named seldom.
(
    SELECT groupArray((site, vlan, client, mac, quiet, old, old AND place <= 50))
    FROM
    (
        SELECT
            *, max(quiet) OVER (PARTITION BY site, vlan) AS wanted,
            -- Of two addresses of a host only one asks, most often the IPv4 one.
            row_number() OVER (PARTITION BY site, vlan, old ORDER BY cityHash64(client), client) AS place
        FROM
        (
            SELECT
                toString(f.site) AS site, f.client AS client, max(f.vlan) AS vlan, max(f.mac) AS mac,
                client BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255') AS old,
                client IN {suspects:Array(IPv6)} AND 2 * maxIf(f.flow_count, q.questions < {questions_most:Float64} * f.flow_count) >= {unasked_share:Float64} * {flows_min:Float64} AS quiet
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
            HAVING sum(f.flow_count) >= 3
        )
        WHERE arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
            AND NOT has({resolvers:Array(IPv6)}, client)
    )
    WHERE quiet OR wanted AND old AND place <= 50
) AS chosen,
-- Suspects: site, address, MAC, old, hosts that were seen to ask, of how many.
(
    SELECT groupArray((site, client, mac, old, asking, held))
    FROM
    (
        SELECT
            c.1 AS site, c.3 AS client, c.4 AS mac, c.6 AS old, c.5 AND j.strange AS odd,
            countIf(c.7 AND 2 * j.unasked <= j.flow_count) OVER (PARTITION BY c.1, c.2) AS asking,
            countIf(c.7) OVER (PARTITION BY c.1, c.2) AS held
        FROM (SELECT arrayJoin(chosen) AS c, c.1 AS place, c.3 AS client) AS k
        JOIN
        (
            -- Connections to names asked for and not: all, and of the step that is furthest past.
            SELECT
                place, client, sum(step_unasked) AS unasked, sum(step_flows) AS flow_count,
                -- Of a window's two steps one has half of what the window must have, and more than half of its share.
                max(2 * step_unasked >= {unasked_share:Float64} * {flows_min:Float64} AND step_unasked >= 0.6 * step_flows) AS strange
            FROM
            (
                SELECT toString(site) AS place, client, count() AS step_flows,
                    countIf((toString(site), client, cityHash64(server_name)) NOT IN
                    (
                        SELECT toString(site), client, cityHash64(qname) FROM dns
                        WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')} AND transport IN ('udp', 'tcp')
                            AND client IN (SELECT arrayJoin(chosen).3)
                    )) AS step_unasked
                FROM flows
                WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
                    AND name_source IN ('sni', 'quic') AND start = first AND NOT has(categories, 'doh')
                    AND client IN (SELECT arrayJoin(chosen).3)
                GROUP BY place, client, toStartOfInterval(start, toIntervalSecond({step:UInt32}))
            )
            GROUP BY place, client
        ) AS j ON k.place = j.place AND k.client = j.client
    )
    WHERE odd AND asking >= {seen_hosts:Float64} AND asking >= {seen_share:Float64} * (held - 1)
) AS found,
-- The addresses of one interface are one host; behind a router the MAC says nothing.
(
    SELECT groupArray((s.1, s.2, if(empty(c.addresses), [s.2], c.addresses)))
    FROM (SELECT arrayJoin(found) AS s, s.1 AS site, s.3 AS mac) AS k
    LEFT JOIN
    (
        SELECT toString(site) AS site, client_mac AS mac, groupUniqArray(client) AS addresses
        FROM flows
        WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
            AND client_mac != 0 AND client_mac IN (SELECT arrayJoin(found).3)
            AND NOT has({router_macs:Array(UInt64)}, client_mac)
        GROUP BY site, mac
        HAVING length(addresses) <= 8
    ) AS c ON k.site = c.site AND k.mac = c.mac
) AS known,
steps AS
(
    SELECT
        site, client, toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step, min(`group`) AS step_group,
        -- The resolver's own name has to be asked for.
        has(categories, 'doh') AS doh,
        NOT doh AND (toString(site), client, cityHash64(server_name)) NOT IN
        (
            SELECT a.place, a.client, cityHash64(d.qname)
            FROM dns AS d
            JOIN (SELECT k.1 AS place, k.2 AS client, arrayJoin(k.3) AS address FROM (SELECT arrayJoin(known) AS k)) AS a
                ON toString(d.site) = a.place AND d.client = a.address
            WHERE d.ts >= {from:DateTime64(6, 'UTC')} AND d.ts < {to:DateTime64(6, 'UTC')} AND d.transport IN ('udp', 'tcp')
        ) AS unasked,
        count() AS step_flows,
        groupUniqArray(server_name) AS step_names,
        min(start) AS seen_first, max(start) AS seen_last,
        groupArraySorted(10)(tuple(start, client, server, server_port, application, server_name, name_source, sensor, flow_id)) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
        AND name_source IN ('sni', 'quic') AND start = first
        AND client IN (SELECT arrayJoin(found).2)
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
FROM windows JOIN (SELECT s.1 AS site, s.2 AS client, s.4 AS old, s.5 AS asking, s.6 AS held FROM (SELECT arrayJoin(found) AS s)) AS suspects
    ON windows.place = suspects.site AND windows.client = suspects.client
WHERE own AND flow_count >= {flows_min:Float64} AND unasked_count >= {unasked_share:Float64} * flow_count AND length(names) >= {names_min:Float64}
    -- Of an IPv6 address nothing can be said where neither it nor a sister address is seen to ask.
    AND (old OR unasked_count < flow_count)
