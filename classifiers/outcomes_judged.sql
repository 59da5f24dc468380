-- Attempts one by one in the columns of their sums.
SELECT
    site, `group`, categories, clause, action, verdict, mechanism, initiated,
    toUInt64(1) AS attempts, toUInt64(embedded) AS widgets, toUInt64(isNull(loss)) AS unmeasured, first, last,
    window_start AS at, updated AS oldest,
    if(bitShiftRight(toUInt128(client), 32) = 0xFFFF, [toUInt32(toUInt128(client))], []) AS hosts,
    if(bitShiftRight(toUInt128(client), 32) = 0xFFFF, [], [client]) AS hosts6
FROM attempts FINAL
WHERE (/*times*/) AND (/*filters*/)
