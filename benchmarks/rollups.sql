-- name: hours
-- A day's sums by hour: each host at work has 25 keys an hour; 10,000 hosts, 500 a site, services by a steep law.
INSERT INTO traffic_1h (hour, site, `group`, client, service, category, application, name_source, action,
    bytes_up, bytes_down, packets_up, packets_down, flows)
WITH
    intDiv(number, 250000) AS hour_of_day,
    intDiv(number, 25) % 10000 AS host,
    number % 25 AS place,
    toUInt64(400 * pow((cityHash64(number, {day:Int64}) % 100000) / 100000, 3)) AS which,
    place < 6 AS plain,
    toUInt64(exp(10 + (cityHash64(number, 2, {day:Int64}) % 1000) / 130)) AS down
SELECT
    toDateTime({day:Int64} + (8 + hour_of_day) * 3600, 'UTC'), concat('school ', toString(intDiv(host, 500))),
    ['students', 'students', 'students', 'staff', 'guests'][1 + host % 5],
    toIPv6(concat('::ffff:10.', toString(intDiv(host, 500)), '.', toString(intDiv(host % 500, 250)), '.', toString(host % 250 + 1))),
    if(plain, '', concat('service ', toString(which))), if(plain OR which % 3 = 0, '', concat('category ', toString(which % 40))),
    if(plain, ['dns', 'ntp', 'tls', 'quic', 'http', ''][1 + place], if(which % 3 = 0, 'quic', 'tls')),
    if(plain, 'none', if(which % 3 = 0, 'quic', if(place = 24, 'dns', 'sni'))), 'allow',
    intDiv(down, 12), down, intDiv(down, 900) + 1, intDiv(down, 1100) + 1,
    toUInt64(round({flows:UInt64} / {days:UInt32} / 2000000))
FROM numbers(2000000)
WHERE {day:Int64} + (8 + hour_of_day) * 3600 < {now:Int64}

-- name: hours of another day
INSERT INTO traffic_1h (hour, site, `group`, client, service, category, application, name_source, action,
    bytes_up, bytes_down, packets_up, packets_down, flows)
WITH 50 + cityHash64(client, service, application, {day:Int64}) % 100 AS part
SELECT
    hour + ({day:Int64} - {first:Int64}) AS later, site, `group`, client, service, category, application, name_source, action,
    intDiv(t.bytes_up * part, 100), intDiv(t.bytes_down * part, 100),
    intDiv(t.packets_up * part, 100) + 1, intDiv(t.packets_down * part, 100) + 1, t.flows
FROM traffic_1h AS t
WHERE hour >= toDateTime({first:Int64}, 'UTC') AND hour < toDateTime({first:Int64} + 86400, 'UTC')
  AND hour + ({day:Int64} - {first:Int64}) < toDateTime({now:Int64}, 'UTC')

-- name: minutes
-- The last minutes of the same: three keys of a host a minute.
INSERT INTO traffic_1m (minute, site, `group`, client, service, category, application, name_source, action,
    bytes_up, bytes_down, packets_up, packets_down, flows)
SELECT
    toDateTime(intDiv({now:Int64}, 60) * 60 - 60 * (1 + number % {minutes:UInt32}), 'UTC'), site, `group`, client, service, category, application, name_source, action,
    1 + intDiv(bytes_up, 20), 1 + intDiv(bytes_down, 20), 1 + intDiv(packets_up, 20), 1 + intDiv(packets_down, 20), 2
FROM
(
    SELECT *, arrayJoin(range(toUInt64({minutes:UInt32}))) AS number
    FROM traffic_1h
    WHERE hour = toStartOfHour(toDateTime({now:Int64}, 'UTC')) - 3600
)
WHERE cityHash64(client, service, application, number) % 25 < 3

-- name: usage
INSERT INTO usage_1h (hour, site, client, bytes_up, bytes_down, packets_up, packets_down, flows, by_none, by_sni, by_quic, by_http, by_dns)
SELECT
    hour, site, client, sum(t.bytes_up), sum(t.bytes_down), sum(t.packets_up), sum(t.packets_down), sum(t.flows),
    sumIf(t.bytes_up + t.bytes_down, name_source = 'none'), sumIf(t.bytes_up + t.bytes_down, name_source = 'sni'),
    sumIf(t.bytes_up + t.bytes_down, name_source = 'quic'), 0, sumIf(t.bytes_up + t.bytes_down, name_source = 'dns')
FROM traffic_1h AS t GROUP BY hour, site, client

-- name: sites_1h
INSERT INTO sites_1h (hour, site, `group`, service, category, application, name_source, bytes_up, bytes_down, packets_up, packets_down, flows)
SELECT
    hour, site, `group`, service, category, application, name_source,
    sum(t.bytes_up), sum(t.bytes_down), sum(t.packets_up), sum(t.packets_down), sum(t.flows)
FROM traffic_1h AS t GROUP BY hour, site, `group`, service, category, application, name_source

-- name: sites_5m
-- Of each hour's keys two thirds are there in each slot; of the last eight days: no question reads older ones but at its ends.
INSERT INTO sites_5m (slot, site, `group`, service, category, application, name_source, bytes_up, bytes_down, packets_up, packets_down, flows)
SELECT
    hour + 300 * arrayJoin(range(12)) AS slot, site, `group`, service, category, application, name_source,
    intDiv(bytes_up, 12), intDiv(bytes_down, 12), intDiv(packets_up, 12), intDiv(packets_down, 12), intDiv(flows, 12)
FROM sites_1h
WHERE hour >= toDateTime({now:Int64}, 'UTC') - 8 * 86400 AND slot < toDateTime({now:Int64}, 'UTC') - 300 AND cityHash64(slot, site, `group`, service) % 3 > 0

-- name: slots_now
INSERT INTO sites_5m (slot, site, `group`, service, category, application, name_source, bytes_up, bytes_down, packets_up, packets_down, flows)
SELECT
    toStartOfFiveMinutes(minute) AS slot, site, `group`, service, category, application, name_source,
    sum(t.bytes_up), sum(t.bytes_down), sum(t.packets_up), sum(t.packets_down), sum(t.flows)
FROM traffic_1m AS t
WHERE minute >= toDateTime({now:Int64}, 'UTC') - 300
GROUP BY slot, site, `group`, service, category, application, name_source

-- name: link
INSERT INTO link_5m (site, slot, received, sent)
SELECT
    concat('school ', toString(number % 20)), toDateTime({first:Int64} + intDiv(number, 20) * 300, 'UTC'),
    cityHash64(number) % 9000000000, 400000000
FROM numbers(toUInt64({days:UInt32} * 288 * 20))

-- name: sight
INSERT INTO sight_1m (minute, site, `group`, sight, bytes, flows)
SELECT
    toDateTime({first:Int64} + 8 * 3600 + intDiv(n, 480) * 86400 + n % 480 * 60, 'UTC'), concat('school ', toString(intDiv(number, 18) % 20)),
    ['students', 'staff', 'guests'][1 + number % 3], ['named', 'dns', 'no_name', 'nameless', 'tunnel', 'ech_or_grease'][1 + intDiv(number, 3) % 6],
    cityHash64(number) % 900000000, 400
FROM (SELECT number, intDiv(number, 360) AS n FROM numbers(toUInt64({days:UInt32} * 480 * 360)))

-- name: health
-- A sensor a site, every ten seconds.
INSERT INTO health (ts, sensor, boot, sequence, event, packets, bytes, version, site)
SELECT
    toDateTime({first:Int64} + intDiv(number, 20) * 10, 'UTC'), concat('gate ', toString(number % 20)), concat('boot ', toString(number % 20)), number, 'tick', 1000000,
    800000000, 'bench', concat('school ', toString(number % 20))
FROM numbers(toUInt64(({now:Int64} - {first:Int64}) / 10 * 20))

-- name: batches
-- A message of flows and one of questions a sensor, every five seconds of work.
INSERT INTO batches (sensor, boot, sequence, records, rows, first, last, sha256, inserted)
SELECT
    concat('gate ', toString(number % 20)), concat('boot ', toString(number % 20)), intDiv(number, 20), ['flows', 'dns'][1 + intDiv(number, 20) % 2], 2000,
    toDateTime(at, 'UTC'), toDateTime(at + 5, 'UTC'), '', toDateTime(at + 5, 'UTC')
FROM (SELECT number, {first:Int64} + intDiv(n, 5760) * 86400 + 8 * 3600 + n % 5760 * 5 AS at
    FROM (SELECT number, intDiv(number, 40) AS n FROM numbers(toUInt64({days:UInt32} * 5760 * 40))))
WHERE at < {now:Int64}

-- name: attempts
-- One in a hundred flows of the last seven days: listed names, two thirds of what is prohibited blocked.
INSERT INTO attempts (site, client, `group`, name, window_start, first, last, categories, service, action, verdict, mechanism, confidence,
    evidence, bytes_down, dns, tcp, resolved, embedded, loss, content)
WITH
    cityHash64(number) % 10000 AS host,
    toUInt64(2000 * pow((cityHash64(number, 3) % 100000) / 100000, 3)) AS which,
    toDateTime64({now:Int64} - 7 * 86400 + intDiv(number, per_day) * 86400 - (number % per_day) * 28800 / per_day, 6, 'UTC') AS at
SELECT
    concat('school ', toString(intDiv(host, 500))),
    toIPv6(concat('::ffff:10.', toString(intDiv(host, 500)), '.', toString(intDiv(host % 500, 250)), '.', toString(host % 250 + 1))),
    ['students', 'students', 'students', 'staff', 'guests'][1 + host % 5],
    concat('name', toString(which), '.example'), at, at, at + 2, [concat('category ', toString(which % 40))], '',
    if(which % 4 = 0, 'prohibit', 'allow'), if(which % 4 = 0, ['blocked', 'blocked', 'inconclusive'][1 + which % 3], 'allowed'),
    if(which % 4 = 0, 'dns_sinkhole', ''), 90, ['dns_sinkhole'], 4000, 1, 1, true, false, 0., number
FROM (SELECT number, intDiv(toUInt64({flows:UInt64} / {days:UInt32}), 100) AS per_day FROM numbers(intDiv(toUInt64({flows:UInt64} / {days:UInt32}), 100) * 8))
