-- title: Way around the filter, by name
-- class: circumvention
-- states: {subject} ({group}) reached {names:name} of services that lead around the filter in {window} to {to} ({categories}:
--   {name_list}); {delivered} of {attempts:attempt} delivered, {kilobytes} kB in the first minutes. By end point, listed in {lists}.
-- states tried: {subject} ({group}) tried {attempts:time} to reach {names:name} of services that lead around the filter in {window} to
--   {to} ({categories}: {name_list}); none was seen to be delivered. By end point, listed in {lists}.
-- subject: host
-- severity: medium
-- clause: S11, L K5
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: attempts
-- needs attempts: action != 'allow' AND hasAny(categories, ['vpn', 'proxy', 'tor', 'doh'])
-- rests_on: presence
-- parameter delivered_min: 1 | [D] | attempts that were delivered
-- parameter tried_min: 5 | [D] | attempts that are enough where none was delivered
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
        toStartOfInterval(window_start, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_attempts,
        countIf(verdict IN ('allowed', 'partial')) AS step_delivered,
        sumIf(bytes_down, verdict IN ('allowed', 'partial')) AS step_bytes,
        uniqExactState(name) AS names_state,
        uniqExactStateIf(name, verdict IN ('allowed', 'partial')) AS reached_state,
        arraySlice(arraySort(groupUniqArray(name)), 1, 5) AS step_names,
        arraySlice(arraySort(groupUniqArrayIf(name, verdict IN ('allowed', 'partial'))), 1, 5) AS step_reached,
        groupUniqArrayArray(arrayIntersect(categories, ways)) AS step_categories,
        min(first) AS seen, max(last) AS seen_last,
        groupArraySorted(10)(tuple(window_start, client, name, verdict, confidence, bytes_down)) AS samples
    FROM attempts FINAL
    WHERE toStartOfHour(window_start) >= toStartOfHour({from:DateTime64(6, 'UTC')})
        AND window_start >= {from:DateTime64(6, 'UTC')} AND window_start < {to:DateTime64(6, 'UTC')}
        AND action != 'allow' AND hasAny(categories, ways)
        AND NOT has({sanctioned_services:Array(String)}, service)
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step, step_group, samples,
        sum(step_attempts) OVER w AS tried,
        sum(step_delivered) OVER w AS delivered,
        sum(step_bytes) OVER w AS bytes,
        uniqExactMerge(names_state) OVER w AS asked_names,
        uniqExactMerge(reached_state) OVER w AS reached_names,
        groupUniqArrayArray(step_names) OVER w AS asked_list,
        groupUniqArrayArray(step_reached) OVER w AS reached_list,
        groupUniqArrayArray(step_categories) OVER w AS categories,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    if(delivered >= {delivered_min:Float64}, '', 'tried') AS variant,
    -- What was delivered outranks any number of attempts.
    if(variant = '', toFloat64(1000 * delivered), tried / {tried_min:Float64}) AS strength,
    map('attempts', toFloat64(tried), 'delivered', toFloat64(delivered), 'names', toFloat64(if(variant = '', reached_names, asked_names)), 'kilobytes', round(bytes / 1000, 1)) AS inputs,
    map('group', if(step_group = '', 'no group', toString(step_group)), 'categories', arrayStringConcat(arraySort(categories), ', '),
        'name_list', arrayStringConcat(arraySlice(arraySort(if(variant = '', reached_list, asked_list)), 1, 5), ', '),
        'lists', if(empty(listing.named), 'no list of the store', concat(
            arrayStringConcat(arraySort(arrayMap(l -> l.1, arrayFilter(l -> hasAny(l.2, arrayMap(c -> toString(c), categories)), listing.named))), ', '),
            ' (version ', listing.version, ')'))) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows CROSS JOIN listing
WHERE delivered >= {delivered_min:Float64} OR tried >= {tried_min:Float64}
