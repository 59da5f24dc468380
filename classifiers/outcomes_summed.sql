-- Sums of attempts (pipeline/store/migrations/0037_outcomes.sql). `at` is a moment of the row's step.
SELECT
    site, `group`, categories, clause, action, verdict, mechanism, initiated, attempts, widgets, unmeasured, first, last,
    toDateTime64(start, 6, 'UTC') AS at, oldest, hosts, hosts6
FROM outcomes
WHERE (step, toInt64(toUnixTimestamp(start)), toUnixTimestamp64Micro(as_of)) IN (/*sums*/)
  AND step IN (/*steps*/)
  AND start >= toDateTime(/*since*/, 'UTC') AND start <= toDateTime(/*until*/, 'UTC')
  AND outcomes.attempts > 0
  AND (/*filters*/)
