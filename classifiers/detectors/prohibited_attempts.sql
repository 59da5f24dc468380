-- title: Repeated attempts at prohibited names
-- class: filtering
-- states: {subject} ({group}) made {attempts:attempt} to reach {names:prohibited name} in {window} to {to} ({categories}):
--   {blocked} were blocked, {delivered} delivered, {undecided} undecided; {background} more seem to be a program's own.
-- subject: host
-- severity: low
-- clause: S3b, L K12b
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: attempts
-- needs attempts: action = 'prohibit' AND NOT embedded
-- rests_on: presence
-- parameter attempts_min: 10 | [D] | attempts that are no widgets and no program's own
-- parameter names_min: 3 | [D] | different names: one name alone is more often a program than a person
WITH
steps AS
(
    SELECT
        site, client, min(toString(`group`)) AS step_group,
        toStartOfInterval(window_start, toIntervalSecond({step:UInt32})) AS step,
        countIf(initiated != 'background') AS step_attempts,
        countIf(initiated = 'background') AS step_background,
        countIf(verdict = 'blocked' AND initiated != 'background') AS step_blocked,
        countIf(verdict IN ('allowed', 'partial') AND initiated != 'background') AS step_delivered,
        uniqExactStateIf(name, initiated != 'background') AS names_state,
        groupUniqArrayArray(categories) AS step_categories,
        min(first) AS seen, max(last) AS seen_last,
        groupArraySorted(10)(tuple(window_start, client, if(has(categories, 'abuse'), 'withheld', name) AS name, verdict, mechanism, confidence)) AS samples
    FROM attempts FINAL
    WHERE toStartOfHour(window_start) >= toStartOfHour({from:DateTime64(6, 'UTC')})
        AND window_start >= {from:DateTime64(6, 'UTC')} AND window_start < {to:DateTime64(6, 'UTC')}
        AND action = 'prohibit' AND NOT embedded
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step, step_group, samples,
        sum(step_attempts) OVER w AS tried,
        sum(step_background) OVER w AS background,
        sum(step_blocked) OVER w AS blocked,
        sum(step_delivered) OVER w AS delivered,
        uniqExactMerge(names_state) OVER w AS names,
        groupUniqArrayArray(step_categories) OVER w AS categories,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    tried / {attempts_min:Float64} AS strength,
    map('attempts', toFloat64(tried), 'blocked', toFloat64(blocked), 'delivered', toFloat64(delivered),
        'undecided', toFloat64(tried - blocked - delivered), 'background', toFloat64(background), 'names', toFloat64(names)) AS inputs,
    map('group', if(step_group = '', 'no group', step_group), 'categories', arrayStringConcat(arraySort(categories), ', ')) AS texts,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE tried >= {attempts_min:Float64} AND names >= {names_min:Float64}
