-- Every sensor that ever sent something, and until when.
SELECT toString(sensor) AS name, toUnixTimestamp64Micro(max(last)) AS latest
FROM batches
WHERE rows > 0 AND records != 'health'
GROUP BY name
ORDER BY name
