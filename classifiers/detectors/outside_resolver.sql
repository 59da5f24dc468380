-- title: Names asked of another resolver
-- class: circumvention
-- states: {subject} ({group}) was answered {answers:question} about {names:name} by {peers:resolver} that the policy does not name in
--   {window} to {to} ({peer_list}): {name_list}. What is asked there, the filter's DNS does not answer. By behaviour.
-- states many: {clients:host} were answered by resolvers that the policy does not name in {window} to {to} ({peer_list}), {share_percent} % of
--   those that asked at all: the list of resolvers may lack one, or the network's answers name it. None of the hosts is named on its own. By behaviour.
-- subject: host
-- severity: low
-- clause: S11, L K5
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: dns
-- needs dns: notEmpty({resolvers:Array(IPv6)}) AND NOT has({resolvers:Array(IPv6)}, server)
--   AND transport IN ('udp', 'tcp') AND answered AND ra
-- rests_on: presence
-- parameter answers_min: 10 | [D] | questions that were answered: programs test a connection with one or two
-- parameter names_min: 3 | [D] | different names among them
-- parameter many_hosts: 5 | [D] | hosts from which on it is the site that asks elsewhere, if they are also a part of those that ask
-- parameter many_share: 0.3 | [D] | that part
WITH
asked AS
(
    SELECT
        site, client, toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        min(`group`) AS step_group,
        count() AS step_answers,
        uniqExactState(qname) AS names_state,
        groupUniqArray(toString(server)) AS step_peers,
        arraySlice(arraySort(groupUniqArray(qname)), 1, 5) AS step_names,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, client, server, transport, qname, qtype, rcode, sensor)) AS samples
    FROM dns
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        -- Without a list nobody knows who is meant to answer.
        AND notEmpty({resolvers:Array(IPv6)})
        AND transport IN ('udp', 'tcp') AND answered AND ra
        AND NOT has({resolvers:Array(IPv6)}, server) AND NOT has({resolvers:Array(IPv6)}, client)
        AND qtype IN (1, 28, 65)
        AND arrayExists((a, b) -> client BETWEEN a AND b, {inside_from:Array(IPv6)}, {inside_to:Array(IPv6)})
        AND NOT arrayExists((a, b) -> client BETWEEN a AND b, {exempt_from:Array(IPv6)}, {exempt_to:Array(IPv6)})
    GROUP BY site, client, step
),
-- The school's own other servers: an inside address that answers, and asks outside itself, is a resolver that the list lacks.
windows AS
(
    SELECT
        site, client, step, step_group, samples,
        sum(step_answers) OVER w AS answers,
        uniqExactMerge(names_state) OVER w AS names,
        groupUniqArrayArray(step_peers) OVER w AS peer_list,
        groupUniqArrayArray(step_names) OVER w AS name_list,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM asked
    WHERE (site, client) NOT IN (SELECT site, server FROM dns
        WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')} AND transport IN ('udp', 'tcp') AND ra
        AND server IN (SELECT client FROM asked) GROUP BY site, server)
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
),
found AS
(
    SELECT *, count() OVER (PARTITION BY site, step) AS hosts
    FROM windows
    WHERE answers >= {answers_min:Float64} AND names >= {names_min:Float64}
),
crowd AS
(
    SELECT site, toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step, uniqExactState(client) AS clients_state
    FROM dns
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND transport IN ('udp', 'tcp') AND answered
        AND site IN (SELECT site FROM found WHERE hosts >= {many_hosts:Float64})
    GROUP BY site, step
),
crowds AS
(
    SELECT site, step, uniqExactMerge(clients_state) OVER (PARTITION BY site ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW) AS askers
    FROM crowd
),
counted AS
(
    SELECT found.*, found.hosts >= {many_hosts:Float64} AND found.hosts >= {many_share:Float64} * crowds.askers AS many, crowds.askers AS askers
    FROM found LEFT JOIN crowds ON found.site = crowds.site AND found.step = crowds.step
)
SELECT
    site, step, `from`, `to`, 'host' AS subject_kind, toString(client) AS subject, '' AS variant,
    answers / {answers_min:Float64} AS strength,
    map('answers', toFloat64(answers), 'names', toFloat64(names), 'peers', toFloat64(length(peer_list))) AS inputs,
    map('group', if(step_group = '', 'no group', toString(step_group)),
        'peer_list', arrayStringConcat(arraySlice(arraySort(peer_list), 1, 5), ', '),
        'name_list', arrayStringConcat(arraySlice(arraySort(name_list), 1, 5), ', ')) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM counted
WHERE NOT many
UNION ALL
SELECT
    site, step, min(`from`) AS `from`, max(`to`) AS `to`, 'site' AS subject_kind, site AS subject, 'many' AS variant,
    toFloat64(max(hosts)) AS strength,
    map('clients', toFloat64(max(hosts)), 'share_percent', round(100 * max(hosts) / max(askers))) AS inputs,
    map('peer_list', arrayStringConcat(arraySlice(arraySort(groupUniqArrayArray(peer_list)), 1, 5), ', ')) AS texts,
    arrayMap(s -> toJSONString(s), arraySlice(arraySort(groupArrayArray(counted.samples)), 1, 10)) AS samples
FROM counted
WHERE many
GROUP BY site, step
