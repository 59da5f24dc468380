-- title: The filter seems to have stopped blocking
-- class: filtering
-- states: {names:name} that the filter blocked {blocks:time} in the days before were delivered to {clients:host} at {subject} in {window}
--   to {to}: {delivered} of {attempts:attempt} delivered, {blocked} blocked ({categories}: {name_list}).
-- subject: site
-- severity: high
-- clause: S3b, L K12b
-- window: 15m
-- step: 1m
-- lookback: 7d
-- reads: attempts
-- needs attempts: action = 'prohibit'
-- rests_on: presence
-- parameter usual_blocks: 3 | [D] | blocks in the days before, and no more deliveries than blocks, that make a name one that is always blocked
-- parameter names_min: 3 | [D] | such names delivered
-- parameter clients_min: 3 | [D] | hosts they were delivered to
-- parameter delivered_share: 0.8 | [D] | part of the attempts at such names that was delivered; inconclusive ones count as not
WITH
tried AS
(
    SELECT *
    FROM attempts FINAL
    WHERE toStartOfHour(window_start) >= toStartOfHour({since:DateTime64(6, 'UTC')} - toIntervalSecond({before:UInt32}))
        AND window_start >= {since:DateTime64(6, 'UTC')} - toIntervalSecond({before:UInt32})
        AND window_start < {to:DateTime64(6, 'UTC')}
        AND action = 'prohibit' AND NOT embedded
),
-- Names that were blocked before the range at hand, for anyone at the site.
usual AS
(
    SELECT site AS usual_site, name AS usual_name, countIf(verdict = 'blocked') AS blocks
    FROM attempts FINAL
    WHERE toStartOfHour(window_start) >= toStartOfHour({from:DateTime64(6, 'UTC')})
        AND window_start >= {from:DateTime64(6, 'UTC')}
        AND window_start < {since:DateTime64(6, 'UTC')} - toIntervalSecond({before:UInt32})
        AND action = 'prohibit'
        AND (site, name) IN (SELECT site, name FROM tried WHERE verdict IN ('allowed', 'partial'))
    GROUP BY site, name
    HAVING blocks >= {usual_blocks:Float64} AND countIf(verdict IN ('allowed', 'partial')) <= blocks
),
steps AS
(
    SELECT
        site, toStartOfInterval(window_start, toIntervalSecond({step:UInt32})) AS step,
        verdict IN ('allowed', 'partial') AS through,
        count() AS step_attempts, countIf(verdict = 'blocked') AS step_blocked, countIf(through) AS step_delivered,
        groupUniqArrayIf((name, blocks), through) AS step_names,
        uniqExactStateIf(client, through) AS clients_state,
        groupUniqArrayArrayIf(categories, through) AS step_categories,
        minIf(first, through) AS seen, maxIf(last, through) AS seen_last,
        groupArraySortedIf(10)(tuple(window_start, client, if(has(categories, 'abuse'), 'withheld', name) AS name, verdict,
            a.confidence AS confidence, bytes_down), through) AS samples,
        arraySlice(arraySort(groupUniqArrayIf(if(has(categories, 'abuse'), 'withheld', name), through)), 1, 5) AS step_shown
    FROM tried AS a
    INNER JOIN usual ON usual_site = site AND usual_name = name
    GROUP BY site, step, through
),
windows AS
(
    SELECT
        site, step, through, samples,
        sum(step_attempts) OVER w AS attempted,
        sum(step_blocked) OVER w AS blocked,
        sum(step_delivered) OVER w AS delivered,
        groupUniqArrayArray(step_names) OVER w AS names,
        uniqExactMerge(clients_state) OVER w AS clients,
        groupUniqArrayArray(step_shown) OVER w AS name_list,
        groupUniqArrayArray(step_categories) OVER w AS categories,
        min(if(through, seen, toDateTime64('2200-01-01 00:00:00', 6, 'UTC'))) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(site) AS subject,
    least(length(names) / {names_min:Float64}, clients / {clients_min:Float64}) AS strength,
    map('names', toFloat64(length(names)), 'clients', toFloat64(clients), 'delivered', toFloat64(delivered),
        'attempts', toFloat64(attempted), 'blocked', toFloat64(blocked),
        'blocks', toFloat64(arraySum(arrayMap(n -> n.2, names)))) AS inputs,
    map('categories', arrayStringConcat(arraySort(categories), ', '),
        'name_list', arrayStringConcat(arraySlice(arraySort(name_list), 1, 5), ', ')) AS texts,
    70 AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE through AND length(names) >= {names_min:Float64} AND clients >= {clients_min:Float64}
    AND delivered >= {delivered_share:Float64} * attempted
