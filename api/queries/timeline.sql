-- Bytes by step and key: those of the greatest keys, and of all the others as one (`rest`).
SELECT step, rest, kept AS name, toFloat64(sum(part_up)) AS up, toFloat64(sum(part_down)) AS down
FROM
(
    SELECT
        place > if(keys > {most:UInt32}, {most:UInt32} - 1, {most:UInt32}) AS rest,
        if(rest, '', name) AS kept,
        part.1 AS step, part.2 AS part_up, part.3 AS part_down
    FROM
    (
        SELECT
            name, groupArray((step, up, down)) AS parts,
            row_number() OVER (ORDER BY sum(up + down) DESC, name) AS place,
            count() OVER () AS keys
        FROM
        (
/*steps*/
        )
        GROUP BY name
    )
    ARRAY JOIN parts AS part
)
GROUP BY step, rest, kept
ORDER BY step, rest, kept
