-- name: flows
-- Flows of a school day: 2,000 hosts, each with 60 servers of its own that take four fifths of its flows, the rest by a
-- steep law over 20,000. A twelfth of the servers is dead, a twentieth of the names listed; four hosts sweep a network.
INSERT INTO flows
(
    sensor, vlan, flow_id, start, lasted, client, server, client_port, server_port, protocol, client_mac, server_mac,
    bytes_up, bytes_down, packets_up, packets_down, framing_up, state, flags_up, flags_down, rtt_us,
    ttl_up_min, ttl_up_max, ttl_down_min, ttl_down_max, ended, application, server_name, name_source, tls_version, ja4,
    hello, syn_signature, site, `group`, categories, service, action, clause, policy_version, verdict,
    reset_by
)
WITH
    cityHash64(number, 1) % 2000 AS host,
    cityHash64(number, 2) AS chance,
    (cityHash64(number, 3) % 100000) / 100000 AS draw,
    if(cityHash64(number, 7) % 10 < 8, cityHash64(host, toUInt64(60 * pow(draw, 2))) % 20000, toUInt64(20000 * pow(draw, 3))) AS place,
    host < 4 AND cityHash64(number, 8) % 5 = 0 AS sweep,
    if(sweep, 865, cityHash64(number, 4) % 1000) AS kind,
    cityHash64(number, 5) % 1000 AS outcome,
    fromUnixTimestamp64Micro({begin_us:Int64} + toInt64({span_us:Int64} * (number - {from:UInt64}) / {rows:UInt64})
        + chance % 200000, 'UTC') AS at,
    multiIf(kind < 620, 443, kind < 780, 53, kind < 840, 80, kind < 860, 123, kind < 870, 445, kind < 875, 22, 1024 + chance % 60000) AS port,
    port IN (53, 123) OR port = 443 AND chance % 4 = 0 AS datagram,
    sweep OR port NOT IN (53, 123) AND cityHash64(place, 9) % 12 = 0 AS dead,
    multiIf(datagram, if(dead OR outcome >= 990, 'S0', 'SF'), dead, if(outcome < 700, 'S0', 'REJ'), outcome < 780, 'SF', outcome < 880, 'S1', outcome < 890, 'S0', outcome < 895, 'REJ', outcome < 940, 'RSTO', outcome < 980, 'RSTR', 'OTH') AS ended_as,
    ended_as NOT IN ('S0', 'REJ') AS answered,
    port = 443 AND chance % 10 < 8 AS named,
    place % 20 = 0 AS listed,
    toUInt64(exp(6 + (cityHash64(number, 6) % 1000) / 110)) AS down
SELECT
    'gate', 20, number, at, 1000 * (chance % 30000),
    toIPv6(concat('::ffff:10.20.', toString(intDiv(host, 250)), '.', toString(host % 250))),
    multiIf(sweep, toIPv6(concat('::ffff:10.10.', toString(number % 8), '.', toString(intDiv(number, 8) % 250))),
        port IN (53, 123), toIPv6('::ffff:10.10.0.53'),
        kind >= 860, toIPv6(concat('::ffff:10.10.', toString(place % 8), '.', toString(place % 250))),
        toIPv6(concat('::ffff:203.', toString(place % 200), '.', toString(intDiv(place, 200)), '.', toString(place % 250)))),
    32768 + chance % 28000, port, if(datagram, 17, 6), 2199023255552 + host, 2199023300000,
    500 + chance % 2000, if(answered, down, 0), 1 + chance % 20, if(answered, 1 + intDiv(down, 1200), 0),
    100 + toInt64(chance % 2000) - toInt64(chance % 1900), ended_as,
    if(datagram, 0, if(answered, 0x1B, 2)), if(datagram, 0, if(answered, 0x1B, 0)), if(answered, 5000 + chance % 40000, NULL),
    if(host % 3 = 0, 64, 128), if(host % 3 = 0, 64, 128), if(answered, 54, NULL), if(answered, 57, NULL), 'closed',
    multiIf(port = 53, 'dns', port = 443 AND datagram, 'quic', port = 443, 'tls', port = 80, 'http', port = 123, 'ntp', port = 445, 'smb', port = 22, 'ssh', ''),
    if(named, concat('host', toString(place), '.example'), ''), if(named, if(datagram, 'quic', 'sni'), 'none'),
    if(named, '1.3', ''), if(named, concat('t13d1516h2_8daaf6152771_', toString(host % 40)), ''),
    if(named, if(answered, 3, 1), 0),
    if(datagram, '', concat('4:', if(host % 3 = 0, '64', '128'), ':0:1460:mss*', toString(host % 12), ',8:mss,sok,ts,nop,ws:df:0')),
    'school', if(host < 1800, 'students', 'staff'),
    if(listed AND named, [['social_media'], ['games'], ['streaming_video'], ['adult']][1 + intDiv(place, 20) % 4], []),
    if(listed AND named AND intDiv(place, 20) % 4 = 2, 'tube', ''),
    if(listed AND named AND intDiv(place, 20) % 4 IN (0, 3), 'prohibit', 'allow'), '', 'bench', 'none', 'none'
FROM numbers({from:UInt64}, {rows:UInt64})

-- name: dns
-- A question for every fourth flow, for names of the host's own servers mostly.
INSERT INTO dns
(
    ts, client, server, vlan, transport, id, qname, qtype, rcode, ra, addresses, min_ttl, rtt_us, answered, sensor, site,
    `group`, categories, service, action, policy_version, verdict
)
WITH
    cityHash64(number, 1) % 2000 AS host,
    cityHash64(number, 2) AS chance,
    (cityHash64(number, 3) % 100000) / 100000 AS draw,
    if(cityHash64(number, 7) % 10 < 8, cityHash64(host, toUInt64(60 * pow(draw, 2))) % 20000, toUInt64(20000 * pow(draw, 3))) AS place,
    place % 20 = 0 AS listed,
    fromUnixTimestamp64Micro({begin_us:Int64} + toInt64({span_us:Int64} * (number - {from:UInt64}) * 4 / {rows:UInt64}), 'UTC') AS at
SELECT
    at, toIPv6(concat('::ffff:10.20.', toString(intDiv(host, 250)), '.', toString(host % 250))), toIPv6('::ffff:10.10.0.53'),
    20, 'udp', chance % 65536, concat('host', toString(place), '.example'), if(chance % 3 = 0, 28, 1),
    if(chance % 20 = 0, 3, 0), true,
    if(chance % 20 = 0, [], [if(listed AND chance % 10 < 7, toIPv6('::ffff:0.0.0.0'),
        toIPv6(concat('::ffff:203.', toString(place % 200), '.', toString(intDiv(place, 200)), '.', toString(place % 250))))]),
    300, 2000 + chance % 20000, true, 'gate', 'school', if(host < 1800, 'students', 'staff'),
    if(listed, [['social_media'], ['games'], ['streaming_video'], ['adult']][1 + intDiv(place, 20) % 4], []), '',
    if(listed AND intDiv(place, 20) % 4 IN (0, 3), 'prohibit', 'allow'), 'bench', 'none'
FROM numbers({from:UInt64}, intDiv({rows:UInt64}, 4))

-- name: sightings
-- ARP, DHCP and mDNS: one for every hundredth flow.
INSERT INTO sightings (ts, vlan, source, mac, ip, name, value, attributes, sensor, site)
WITH
    cityHash64(number, 1) % 2000 AS host,
    cityHash64(number, 2) % 100 AS kind,
    toIPv6(concat('::ffff:10.20.', toString(intDiv(host, 250)), '.', toString(host % 250))) AS address,
    multiIf(kind < 70, 'arp', kind < 80, 'dhcp_request', kind < 90, 'dhcp_ack', 'mdns') AS told
SELECT
    fromUnixTimestamp64Micro({begin_us:Int64} + toInt64({span_us:Int64} * (number - {from:UInt64}) * 100 / {rows:UInt64}), 'UTC'),
    20, told, if(told = 'dhcp_ack', 2199023300000, 2199023255552 + host),
    if(told = 'dhcp_ack', toIPv6('::ffff:10.20.0.1'), address),
    if(told = 'mdns', concat('tablet-', toString(host)), ''), if(told = 'mdns', '', replaceOne(toString(address), '::ffff:', '')),
    if(told = 'arp', map('op', toString(1 + kind % 2)), if(told = 'dhcp_ack', map('client_mac', MACNumToString(2199023255552 + host)), map())),
    'gate', 'school'
FROM numbers({from:UInt64}, intDiv({rows:UInt64}, 100))

-- name: health
INSERT INTO health (ts, sensor, boot, sequence, event, packets, bytes, version, site)
SELECT
    fromUnixTimestamp64Micro({begin_us:Int64} + number * 10000000, 'UTC'), 'gate', 'made', number, 'tick', 1000000, 800000000, 'bench',
    'school'
FROM numbers(intDiv({span_us:Int64}, 10000000))
