-- name: flows
SELECT countIf(start = first) AS flows, count() AS rows,
       sum(packets_up + packets_down) AS packets, sum(bytes_up + bytes_down) AS bytes,
       countIf(start = first AND name_source != 'none') AS named,
       uniqExactIf(server_name, server_name != '') AS names, uniqExact(client) AS clients,
       min(start) AS since, max(end) AS until
FROM flows

-- name: dns
SELECT count() AS questions, countIf(answered) AS answered, uniqExact(qname) AS names FROM dns

-- name: sightings
SELECT source, count() AS sightings, uniqExact(mac) AS devices FROM sightings GROUP BY source ORDER BY source

-- name: health
SELECT sum(packets) AS packets, sum(dropped_kernel) AS dropped,
       sum(malformed) AS malformed, sum(truncated) AS truncated, sum(unknown_link) AS unknown_link,
       sum(evicted) AS evicted, sum(outbox_lost) AS lost
FROM health

-- name: categories
SELECT category, countIf(start = first) AS flows, sum(bytes_up + bytes_down) AS bytes,
       uniqExact(client) AS clients
FROM flows ARRAY JOIN categories AS category
GROUP BY category ORDER BY bytes DESC, category LIMIT 12

-- name: verdicts
SELECT verdict, count() AS attempts, uniqExact(client) AS clients FROM attempts FINAL
GROUP BY verdict ORDER BY attempts DESC, verdict

-- name: findings
SELECT detector, severity, statement FROM findings FINAL WHERE withdrawn = ''
ORDER BY indexOf(['high', 'medium', 'low'], severity), `from`, detector, statement LIMIT 12

-- name: findings_total
SELECT count() AS findings FROM findings FINAL WHERE withdrawn = ''

-- name: talkers
SELECT client AS host, any(`group`) AS who,
       sum(bytes_down) AS down, sum(bytes_up) AS up, countIf(start = first) AS flows
FROM flows GROUP BY client ORDER BY down + up DESC, host LIMIT 8
