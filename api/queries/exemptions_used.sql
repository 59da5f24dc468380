-- Attempts that each exemption allowed, and the last of them.
SELECT substring(clause, 11) AS id, count() AS attempts, toUnixTimestamp64Micro(max(last)) AS latest
FROM attempts FINAL
WHERE startsWith(clause, 'exemption:')
GROUP BY id
