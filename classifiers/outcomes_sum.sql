-- The sums of one step.
SELECT
    site, `group`, categories, clause, action, verdict, mechanism, initiated,
    sum(o.attempts) AS attempts, sum(o.widgets) AS widgets, sum(o.unmeasured) AS unmeasured,
    min(o.first) AS first, max(o.last) AS last, min(o.oldest) AS oldest,
    arraySort(groupUniqArrayArray(o.hosts)) AS hosts, arraySort(groupUniqArrayArray(o.hosts6)) AS hosts6
FROM (/*outcomes*/) AS o
GROUP BY site, `group`, categories, clause, action, verdict, mechanism, initiated
