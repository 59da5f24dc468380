-- title: Way around the filter, by address
-- class: circumvention
-- states: {subject} ({group}) exchanged {kilobytes} kB with {peers:address} of services that lead around the filter in {window} to {to}
--   ({categories}: {peer_list}), without a name to be seen. By end point, listed in {lists}.
-- subject: host
-- severity: medium
-- clause: S11, L K5
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: flows
-- needs flows: server_name = '' AND hasAny(categories, ['vpn', 'proxy', 'tor', 'doh'])
-- rests_on: presence
-- parameter packets_min: 3 | [D] | packets each way: less is no more than a connection that was refused or given up
WITH
['vpn', 'proxy', 'tor', 'doh'] AS ways,
-- What was compiled last before the end of the range; of captures older than that, what was compiled first.
in_force AS
(
    SELECT version FROM lists
    ORDER BY since <= {to:DateTime64(6, 'UTC')} DESC, abs(dateDiff('second', since, {to:DateTime64(6, 'UTC')})), version LIMIT 1
),
listing AS
(
    SELECT groupUniqArray((toString(list), arrayMap(c -> toString(c), categories))) AS named, max(version) AS version
    FROM lists WHERE version IN (SELECT version FROM in_force) AND NOT allow AND hasAny(categories, ways)
),
steps AS
(
    SELECT
        site, client, min(`group`) AS step_group,
        toStartOfInterval(start, toIntervalSecond({step:UInt32})) AS step,
        uniqExactState(server) AS peers_state,
        arraySlice(arraySort(groupUniqArray(toString(server))), 1, 5) AS step_peers,
        groupUniqArrayArray(arrayIntersect(categories, ways)) AS step_categories,
        sum(bytes_up + bytes_down) AS step_bytes,
        min(start) AS seen, max(start) AS seen_last,
        groupArraySorted(10)(tuple(start, client, server, server_port, protocol, application, categories, bytes_up, bytes_down, sensor, flow_id)) AS samples
    FROM flows
    WHERE start >= {from:DateTime64(6, 'UTC')} AND start < {to:DateTime64(6, 'UTC')}
        -- Of a flow without a name the categories are its address's, by the longest listed prefix.
        AND notEmpty(categories) AND server_name = '' AND hasAny(categories, ways)
        AND action != 'allow' AND NOT has({sanctioned_services:Array(String)}, service)
        AND protocol IN (6, 17) AND packets_up >= {packets_min:Float64} AND packets_down >= {packets_min:Float64}
        -- A question in the clear to another resolver is a matter of its own.
        AND application != 'dns'
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT has({resolvers:Array(IPv6)}, client) AND NOT has({resolvers:Array(IPv6)}, server)
        AND NOT arrayExists((a, b) -> server BETWEEN a AND b, {vpn_from:Array(IPv6)}, {vpn_to:Array(IPv6)})
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step, step_group, samples,
        uniqExactMerge(peers_state) OVER w AS peers,
        groupUniqArrayArray(step_peers) OVER w AS peer_list,
        groupUniqArrayArray(step_categories) OVER w AS categories,
        sum(step_bytes) OVER w AS bytes,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    toFloat64(bytes) AS strength,
    map('peers', toFloat64(peers), 'kilobytes', round(bytes / 1000, 1)) AS inputs,
    map('group', if(step_group = '', 'no group', toString(step_group)), 'categories', arrayStringConcat(arraySort(categories), ', '),
        'peer_list', arrayStringConcat(arraySlice(arraySort(peer_list), 1, 5), ', '),
        'lists', if(empty(listing.named), 'no list of the store', concat(
            arrayStringConcat(arraySort(arrayMap(l -> l.1, arrayFilter(l -> hasAny(l.2, arrayMap(c -> toString(c), categories)), listing.named))), ', '),
            ' (version ', listing.version, ')'))) AS texts,
    80 AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows CROSS JOIN listing
