-- title: Prohibited names that were delivered
-- class: filtering
-- states: {subject} ({group}) was delivered {names:prohibited name} in {window} to {to} ({categories}: {name_list}), {kilobytes} kB
--   in the first minutes; {partial} of {leaks:time} after a block on another path. By what the records show: {causes}.
-- subject: host
-- severity: medium
-- clause: S3b, L K12b
-- window: 15m
-- step: 1m
-- lookback: 7d
-- reads: attempts
-- needs attempts: action = 'prohibit' AND verdict IN ('allowed', 'partial')
-- rests_on: presence
-- parameter leaks_min: 1 | [D] | attempts that were allowed or partial, widgets left out
-- parameter lag_days: 3 | [D] | days for which a name is new at the site: its list may not have it yet
-- parameter usual_blocks: 3 | [D] | blocks in the days before that make a name, or a category, one that the filter blocks
WITH
delivered AS
(
    SELECT *
    FROM attempts FINAL
    WHERE toStartOfHour(window_start) >= toStartOfHour({since:DateTime64(6, 'UTC')} - toIntervalSecond({before:UInt32}))
        AND window_start >= {since:DateTime64(6, 'UTC')} - toIntervalSecond({before:UInt32})
        AND window_start < {to:DateTime64(6, 'UTC')}
        AND action = 'prohibit' AND verdict IN ('allowed', 'partial')
),
-- What became of the names, by anyone at the site: from when on they are known, and their first blocks.
known AS
(
    SELECT
        site AS known_site, name AS known_name, min(window_start) AS known_since,
        groupArraySortedIf(64)(window_start, verdict = 'blocked') AS blocks, countIf(startsWith(clause, 'exemption:')) AS exempted
    FROM attempts FINAL
    WHERE toStartOfHour(window_start) >= toStartOfHour({from:DateTime64(6, 'UTC')})
        AND window_start >= {from:DateTime64(6, 'UTC')} AND window_start < {to:DateTime64(6, 'UTC')}
        AND (site, name) IN (SELECT site, name FROM delivered)
    GROUP BY site, name
),
-- Categories of which the filter blocks names.
filtered AS
(
    SELECT filtered_site, groupArray(category) AS blocked_categories
    FROM
    (
        SELECT site AS filtered_site, toString(arrayJoin(categories)) AS category, count() AS blocks
        FROM attempts FINAL
        WHERE toStartOfHour(window_start) >= toStartOfHour({from:DateTime64(6, 'UTC')})
            AND window_start >= {from:DateTime64(6, 'UTC')} AND window_start < {to:DateTime64(6, 'UTC')}
            AND verdict = 'blocked' AND site IN (SELECT site FROM delivered)
        GROUP BY filtered_site, category
        HAVING blocks >= {usual_blocks:Float64}
    )
    GROUP BY filtered_site
),
-- Hosts that reached a way around the filter.
around AS
(
    SELECT site AS around_site, client AS around_client, 1 AS went_around
    FROM attempts FINAL
    WHERE toStartOfHour(window_start) >= toStartOfHour({since:DateTime64(6, 'UTC')} - toIntervalSecond({before:UInt32}))
        AND window_start >= {since:DateTime64(6, 'UTC')} - toIntervalSecond({before:UInt32})
        AND window_start < {to:DateTime64(6, 'UTC')}
        AND verdict IN ('allowed', 'partial') AND hasAny(categories, ['doh', 'vpn', 'proxy', 'tor'])
    GROUP BY site, client
),
explained AS
(
    SELECT
        *,
        if(has(categories, 'abuse'), 'withheld', name) AS shown,
        multiIf(
            verdict = 'partial' AND notEmpty(delivered_over) AND arrayAll(p -> endsWith(p, '6'), delivered_over)
                AND arrayExists(p -> endsWith(p, '4'), blocked_over),
            'IPv6 is not filtered',
            notEmpty(delivered_over) AND arrayAll(p -> startsWith(p, 'quic'), delivered_over)
                AND arrayExists(p -> startsWith(p, 'tcp'), blocked_over),
            'QUIC is not filtered',
            resolver = 'other', 'asked of another resolver',
            resolver = 'none' AND went_around = 1, 'a tunnel or encrypted DNS',
            exempted > 0, 'exempted for others or until lately',
            verdict = 'partial', 'blocked on one path only',
            arrayCount(block -> block < window_start, blocks) >= {usual_blocks:Float64}, 'blocked until now',
            NOT hasAny(arrayMap(c -> toString(c), categories), blocked_categories), 'the filter blocks nothing of the category',
            known_since >= window_start - toIntervalDay(toUInt32({lag_days:Float64})), 'the filter''s list lags behind',
            'the filter classifies the name otherwise'
        ) AS cause
    FROM delivered
    LEFT JOIN known ON known_site = site AND known_name = name
    LEFT JOIN filtered ON filtered_site = site
    LEFT JOIN around ON around_site = site AND around_client = client
),
steps AS
(
    SELECT
        site, client, min(toString(`group`)) AS step_group,
        toStartOfInterval(window_start, toIntervalSecond({step:UInt32})) AS step,
        countIf(NOT embedded) AS step_leaks,
        countIf(embedded) AS step_widgets,
        countIf(verdict = 'partial' AND NOT embedded) AS step_partial,
        sumIf(bytes_down, NOT embedded) AS step_bytes,
        max(a.confidence) AS step_confidence,
        uniqExactStateIf(name, NOT embedded) AS names_state,
        arraySlice(arraySort(groupUniqArrayIf(shown, NOT embedded)), 1, 5) AS step_names,
        groupUniqArrayArrayIf(categories, NOT embedded) AS step_categories,
        sumMapIf([cause], [toUInt64(1)], NOT embedded) AS step_causes,
        min(first) AS seen, max(last) AS seen_last,
        groupArraySortedIf(10)(tuple(window_start, client, shown AS name, verdict, a.confidence AS confidence, bytes_down, cause,
            blocked_over, delivered_over), NOT embedded) AS samples
    FROM explained AS a
    GROUP BY site, client, step
),
windows AS
(
    SELECT
        site, client, step, step_group, samples,
        sum(step_leaks) OVER w AS leaks,
        sum(step_widgets) OVER w AS widgets,
        sum(step_partial) OVER w AS partial,
        sum(step_bytes) OVER w AS bytes,
        max(step_confidence) OVER w AS sure,
        uniqExactMerge(names_state) OVER w AS names,
        groupUniqArrayArray(step_names) OVER w AS name_list,
        groupUniqArrayArray(step_categories) OVER w AS categories,
        sumMap(step_causes.1, step_causes.2) OVER w AS causes,
        arraySort(c -> (-toInt64(c.2), c.1), arrayZip(causes.1, causes.2)) AS why,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, client ORDER BY step
        RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(client) AS subject,
    leaks / {leaks_min:Float64} AS strength,
    map('leaks', toFloat64(leaks), 'partial', toFloat64(partial), 'names', toFloat64(names), 'embedded', toFloat64(widgets),
        'kilobytes', round(bytes / 1000, 1)) AS inputs,
    map('group', if(step_group = '', 'no group', step_group), 'categories', arrayStringConcat(arraySort(categories), ', '),
        'name_list', arrayStringConcat(arraySlice(arraySort(name_list), 1, 5), ', '),
        'causes', arrayStringConcat(arrayMap(c -> concat(c.1, ' (', toString(c.2), ')'), why), ', ')) AS texts,
    sure AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE leaks >= {leaks_min:Float64}
