-- title: Prohibited names that were delivered
-- class: filtering
-- states: {subject} ({group}) was delivered {names:prohibited name} in {window} to {to} ({categories}: {name_list}), {kilobytes} kB
--   in the first minutes; {partial} of {leaks:time} after a block on another path.
-- subject: host
-- severity: medium
-- clause: S3b, L K12b
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: attempts
-- rests_on: presence
-- parameter leaks_min: 1 | [D] | attempts that were allowed or partial
WITH
steps AS
(
    SELECT
        site, client, any(`group`) AS step_group,
        toStartOfInterval(window_start, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_leaks,
        countIf(verdict = 'partial') AS step_partial,
        sum(bytes_down) AS step_bytes,
        max(a.confidence) AS step_confidence,
        uniqExactState(name) AS names_state,
        groupUniqArray(5)(if(has(categories, 'abuse'), 'withheld', name)) AS step_names,
        groupUniqArrayArray(10)(categories) AS step_categories,
        min(first) AS seen, max(last) AS seen_last,
        groupArray(10)(tuple(window_start, client, if(has(categories, 'abuse'), 'withheld', a.name) AS name, verdict, a.confidence AS confidence, bytes_down)) AS samples
    FROM attempts AS a FINAL
    WHERE toStartOfHour(window_start) >= toStartOfHour({from:DateTime64(6, 'UTC')})
        AND window_start >= {from:DateTime64(6, 'UTC')} AND window_start < {to:DateTime64(6, 'UTC')}
        AND action = 'prohibit' AND NOT embedded AND verdict IN ('allowed', 'partial')
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step, step_group, samples,
        sum(step_leaks) OVER w AS leaks,
        sum(step_partial) OVER w AS partial,
        sum(step_bytes) OVER w AS bytes,
        max(step_confidence) OVER w AS sure,
        uniqExactMerge(names_state) OVER w AS names,
        groupUniqArrayArray(5)(step_names) OVER w AS name_list,
        groupUniqArrayArray(10)(step_categories) OVER w AS categories,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    leaks / {leaks_min:Float64} AS strength,
    map('leaks', toFloat64(leaks), 'partial', toFloat64(partial), 'names', toFloat64(names), 'kilobytes', round(bytes / 1000, 1)) AS inputs,
    map('group', if(step_group = '', 'no group', toString(step_group)), 'categories', arrayStringConcat(arraySort(categories), ', '),
        'name_list', arrayStringConcat(arraySort(name_list), ', ')) AS texts,
    sure AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE leaks >= {leaks_min:Float64}
