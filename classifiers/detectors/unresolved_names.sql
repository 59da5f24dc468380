-- title: Names reached that were never asked for
-- class: circumvention
-- states: {subject} ({group}) opened {flows:connection} outside to {names:name} in {window} to {to}; {unasked_percent} % of them went to names that
--   it had not asked DNS for in the hour before, as a client of encrypted DNS does ({name_list}). {seen_percent} % of the other hosts of its
--   VLAN were seen to ask. By behaviour.
-- states known: {subject} ({group}) opened {flows:connection} outside to {names:name} in {window} to {to}; {unasked_percent} % of them went to names that
--   it had not asked DNS for in the hour before ({name_list}); it was connected with encrypted resolvers: {doh_list}. {seen_percent} % of the
--   other hosts of its VLAN were seen to ask. By behaviour.
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
-- parameter unasked_share: 0.8 | [D] | part of the connections that went to names not asked for
-- parameter seen_hosts: 2 | [D] | other hosts of the VLAN that were seen to ask, without which its DNS may not come by the mirror
-- parameter seen_share: 0.5 | [D] | part of the other hosts that they are
WITH
-- One tuple a host with named connections: site, VLAN, address, MAC, most connections in a step with few questions, all, questions.
(
    SELECT groupArray((site, vlan, client, mac, quiet, opened, asked))
    FROM
    (
        SELECT
            toString(f.site) AS site, f.client AS client, max(f.vlan) AS vlan, max(f.mac) AS mac, maxIf(f.flow_count, q.questions < 0.6 * f.flow_count) AS quiet,
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
                AND transport IN ('udp', 'tcp') AND qtype IN (1, 28, 65) AND NOT has(categories, 'doh')
            GROUP BY site, client, step
        ) AS q USING (site, client, step)
        GROUP BY f.site, f.client
        HAVING opened >= 3
    )
) AS measured,
hosts AS
(
    SELECT
        m.1 AS site, m.2 AS vlan, m.3 AS client, m.4 AS mac, m.5 AS quiet, m.6 AS opened, m.7 AS asked,
        client BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255') AS old
    FROM (SELECT arrayJoin(measured) AS m)
    WHERE arrayExists((a, b) -> m.3 BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
),
-- Of two addresses of a host only one asks, most often the IPv4 one.
seen AS
(
    SELECT site, vlan, countIf(5 * asked >= opened) AS asking, count() AS all
    FROM hosts
    WHERE old
    GROUP BY site, vlan
),
suspects AS
(
    SELECT hosts.*, asking, greatest(all - 1, 1) AS others
    FROM hosts JOIN seen ON hosts.site = seen.site AND hosts.vlan = seen.vlan
    -- Of a window of two steps one has half of it.
    WHERE 2 * quiet >= {flows_min:Float64}
        AND asking >= {seen_hosts:Float64} AND asking >= {seen_share:Float64} * (all - 1)
        AND NOT has({resolvers:Array(IPv6)}, client)
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
    SELECT groupArray((s.site, s.client, if(empty(c.addresses), [s.client], c.addresses)))
    FROM suspects AS s LEFT JOIN cards AS c ON s.site = c.site AND s.mac = c.mac
) AS known,
askers AS
(
    SELECT k.1 AS site, k.2 AS client, arrayJoin(k.3) AS address FROM (SELECT arrayJoin(known) AS k)
),
asked AS
(
    SELECT a.site AS site, a.client AS client, d.qname AS name, min(d.ts) AS asked_at
    FROM dns AS d JOIN askers AS a ON toString(d.site) = a.site AND d.client = a.address
    WHERE d.ts >= {from:DateTime64(6, 'UTC')} AND d.ts < {to:DateTime64(6, 'UTC')}
        AND d.transport IN ('udp', 'tcp') AND d.client IN (SELECT address FROM askers)
    GROUP BY a.site, a.client, d.qname
),
opened AS
(
    SELECT
        toString(site) AS place, client, server_name AS name, min(`group`) AS name_group,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        count() AS flow_count, max(has(categories, 'doh')) AS doh,
        min(start) AS seen, max(start) AS seen_last,
        groupArraySorted(10)(tuple(start, client, server, server_port, application, server_name, name_source, sensor, flow_id)) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) AND start < {to:DateTime64(6, 'UTC')}
        AND name_source IN ('sni', 'quic') AND start = first
        AND client IN (SELECT (arrayJoin(known)).2)
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
    GROUP BY place, client, name, step
),
steps AS
(
    SELECT
        o.place AS site, o.client AS client, o.step AS step, min(name_group) AS step_group,
        -- The resolver's own name has to be asked for.
        sumIf(flow_count, NOT doh) AS step_flows,
        sumIf(flow_count, unasked) AS step_unasked,
        groupUniqArrayIf(name, unasked) AS step_names,
        groupUniqArrayIf(name, doh) AS step_doh,
        min(seen) AS first_seen, max(seen_last) AS last_seen,
        arraySlice(arraySort(groupArrayArrayIf(o.samples, unasked)), 1, 10) AS step_samples
    FROM
    (
        SELECT
            opened.*,
            -- What the question's packet is behind its answer in the mirror, and clocks of two sensors.
            NOT doh AND (asked.asked_at = toDateTime64(0, 6, 'UTC') OR asked.asked_at > opened.seen_last) AS unasked
        FROM opened LEFT JOIN asked ON opened.place = asked.site AND opened.client = asked.client AND opened.name = asked.name
    ) AS o
    GROUP BY o.place, o.client, o.step
),
windows AS
(
    SELECT
        site, client, step, step_group, step_samples,
        sum(step_flows) OVER w AS flow_count,
        sum(step_unasked) OVER w AS unasked_count,
        groupUniqArrayArray(step_names) OVER w AS names,
        groupUniqArrayArray(step_doh) OVER w AS doh_names,
        min(first_seen) OVER w AS `from`,
        max(last_seen) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    windows.site AS site, step, `from`, `to`, toString(windows.client) AS subject,
    if(empty(doh_names), '', 'known') AS variant,
    unasked_count / {flows_min:Float64} AS strength,
    map('flows', toFloat64(flow_count), 'names', toFloat64(length(names)), 'unasked_percent', round(100 * unasked_count / flow_count),
        'seen_percent', least(100, round(100 * asking / others))) AS inputs,
    map('group', if(step_group = '', 'no group', toString(step_group)), 'name_list', arrayStringConcat(arraySlice(arraySort(names), 1, 5), ', '),
        'doh_list', arrayStringConcat(arraySlice(arraySort(doh_names), 1, 3), ', ')) AS texts,
    if(variant = 'known', 85, 60) AS confidence,
    arrayMap(s -> toJSONString(s), step_samples) AS samples
FROM windows JOIN suspects ON windows.site = suspects.site AND windows.client = suspects.client
WHERE flow_count >= {flows_min:Float64} AND unasked_count >= {unasked_share:Float64} * flow_count AND length(names) >= {names_min:Float64}
    -- Of an IPv6 address nothing can be said where neither it nor a sister address is seen to ask.
    AND (old OR unasked_count < flow_count)
