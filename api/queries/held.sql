-- First and last moment of the flows. A packet from the future, or from 1970, moves neither as long as
-- there are batches without one. Batches are known by the hour they end in; those of the hour that an hour from now is in, one by one.
-- (Some servers say of a time past 2106 that its hour is one of the past.)
SELECT
    toUnixTimestamp64Micro(toDateTime64(if(sane > 0, minIf(a, ok), min(a)), 6, 'UTC')) AS earliest,
    toUnixTimestamp64Micro(toDateTime64(if(sane > 0, maxIf(b, ok), max(b)), 6, 'UTC')) AS latest,
    sum(n) AS batches,
    sumIf(n, ok) AS sane
FROM
(
    SELECT
        min(first) AS a, max(last) AS b, count() AS n,
        toStartOfHour(last) <= now() AND first >= toDateTime(946684800, 'UTC') AND max(last) <= now() + INTERVAL 1 HOUR AS ok
    FROM batches
    WHERE records = 'flows' AND (rows > 0)
      AND (toStartOfHour(last) <= now() OR toStartOfHour(last) > now() + INTERVAL 1 HOUR)
    GROUP BY toStartOfHour(last), first >= toDateTime(946684800, 'UTC')
    UNION ALL
    SELECT first, last, 1, last <= now() + INTERVAL 1 HOUR AND first >= toDateTime(946684800, 'UTC')
    FROM batches
    WHERE records = 'flows' AND rows > 0 AND last > now() AND last < now() + INTERVAL 2 HOUR
      AND toStartOfHour(last) > now() AND toStartOfHour(last) <= now() + INTERVAL 1 HOUR
)
