-- Spans of sensors as stretches without a gap. Past so many stretches (`most`) the last one takes what is left.
SELECT name, min(began) AS began, max(ended) AS ended
FROM
(
    SELECT
        name, began, ended,
        least(sum(began > covered + {longest_us:Int64}) OVER (PARTITION BY name ORDER BY began, ended ROWS UNBOUNDED PRECEDING), {most:UInt32} - 1) AS run
    FROM
    (
        SELECT
            name, began, ended,
            max(ended) OVER (PARTITION BY name ORDER BY began, ended ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered
        FROM
        (
            SELECT
                toString(sensor) AS name,
                toUnixTimestamp64Micro(toDateTime64(a, 6, 'UTC')) AS began,
                toUnixTimestamp64Micro(toDateTime64(b, 6, 'UTC')) AS ended
            FROM
            (
/*spans*/
            )
        )
    )
)
GROUP BY name, run
