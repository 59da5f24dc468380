-- What a detector found in one piece of event time, a row for each subject: how long, and its strongest window.
-- Where it found very many subjects at one site, only the strongest come, and `subjects` says of how many.
SELECT *
FROM
(
    SELECT
        site AS part_site, /* kind */ AS part_kind, subject AS part_subject,
        min(`from`) AS part_from, max(`to`) AS part_to,
        argMax(tuple(*), (strength, -toUnixTimestamp(step), sipHash64(tuple(*)))) AS strongest,
        count() OVER (PARTITION BY part_site) AS subjects,
        min(part_from) OVER (PARTITION BY part_site) AS storm_from,
        max(part_to) OVER (PARTITION BY part_site) AS storm_to,
        row_number() OVER (PARTITION BY part_site ORDER BY strongest.strength DESC, part_kind, part_subject) AS place
    FROM
    (
/* detector */
    )
    WHERE step >= {since:DateTime64(6, 'UTC')} AND step < {to:DateTime64(6, 'UTC')}
    GROUP BY part_site, part_kind, part_subject
)
WHERE subjects < {storm_subjects:UInt32} OR place <= {storm_samples:UInt32}
ORDER BY part_site, place
SETTINGS enable_named_columns_in_function_tuple = 1, prefer_column_name_to_alias = 1,
    max_bytes_before_external_group_by = 1000000000, max_bytes_before_external_sort = 1000000000
