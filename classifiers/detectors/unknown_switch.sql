-- title: Switch, router or access point that is not approved
-- class: equipment
-- states: {subject} ({name}, VLAN {vlan}{place}) speaks {protocols} in {window} to {to} as {what}{port}; it is on no list of
--   switches, routers or access points. {description}
-- states unlisted: {subject} ({name}, VLAN {vlan}{place}) speaks {protocols} in {window} to {to} as {what}{port}; no list says
--   which switches are meant to be there. {description}
-- subject: device
-- severity: medium
-- clause: S9d, L K17
-- window: 1h
-- step: 1m
-- lookback: 0s
-- reads: sightings
-- rests_on: presence
-- parameter announcements: 1 | [K] | different announcements of one speaker
WITH
spoken AS
(
    SELECT
        site, vlan, ts, source, mac, ip, name, value, attributes,
        splitByChar(',', attributes['capabilities']) AS capabilities,
        lower(attributes['chassis']) AS chassis,
        -- Of spanning tree the bridge counts, not the port that it spoke from: `32768.00:16:3e:…`.
        arrayElement(splitByChar('.', attributes['bridge']), 2) AS bridge,
        multiIf(match(bridge, '^([0-9a-f]{2}:){5}[0-9a-f]{2}$'), MACStringToNum(bridge),
            match(chassis, '^([0-9a-f]{2}:){5}[0-9a-f]{2}$'), MACStringToNum(chassis), mac) AS device
    FROM sightings
    WHERE ts >= {from:DateTime64(6, 'UTC')} AND ts < {to:DateTime64(6, 'UTC')}
        AND source IN ('lldp', 'cdp', 'stp') AND attributes['type'] NOT IN ('shutdown', 'tcn')
        -- A telephone bridges the computer behind it, and is no switch (TIA-1057, 10.2.1.1).
        AND NOT has(capabilities, 'telephone')
        -- Network cards and Windows send three numbers by LLDP and nothing else (IEEE 802.1AB, 8.2).
        AND (source != 'lldp' OR hasAny(capabilities, ['repeater', 'bridge', 'access_point', 'router', 'docsis', 'customer_vlan', 'service_vlan', 'relay'])
            OR ((name != '' OR attributes['description'] != '') AND attributes['manufacturer'] = ''
                AND NOT match(lower(name || ' ' || attributes['description'] || ' ' || attributes['model']), 'print|laser ?jet|jetdirect|officejet|ricoh|lexmark|kyocera|camera|ipcam|phone')))
        AND NOT hasAny({switch_macs:Array(UInt64)}, [mac, device]) AND NOT has({switch_names:Array(String)}, lower(name))
        AND NOT hasAny({router_macs:Array(UInt64)}, [mac, device]) AND NOT hasAny({access_point_macs:Array(UInt64)}, [mac, device])
        AND NOT has({approved_routers:Array(IPv6)}, ip)
),
steps AS
(
    SELECT
        site, device,
        toStartOfInterval(ts, toIntervalSecond({step:UInt32})) AS step,
        count() AS step_count,
        arraySort(groupUniqArray(toString(source))) AS step_protocols,
        arraySort(groupUniqArrayArray(arrayFilter(c -> c != '', capabilities))) AS step_capabilities,
        arraySlice(arraySort(groupUniqArray(vlan)), 1, 5) AS step_vlans,
        max(name) AS step_name, max(if(source = 'stp', '', value)) AS step_port, max(attributes['description']) AS step_description,
        min(ts) AS seen, max(ts) AS seen_last,
        groupArraySorted(10)(tuple(ts, vlan, source, mac, ip, name, value, attributes)) AS samples
    FROM spoken
    GROUP BY site, device, step
),
windows AS
(
    SELECT
        site, device, step, samples,
        sum(step_count) OVER w AS told,
        arraySort(groupUniqArrayArray(step_protocols) OVER w) AS protocols,
        arraySort(groupUniqArrayArray(step_capabilities) OVER w) AS capabilities,
        groupUniqArrayArray(step_vlans) OVER w AS vlans,
        max(step_name) OVER w AS name, max(step_port) OVER w AS port, max(step_description) OVER w AS description,
        min(seen) OVER w AS `from`,
        max(seen_last) OVER w AS `to`
    FROM steps
    WINDOW w AS (PARTITION BY site, device ORDER BY step RANGE BETWEEN {before:UInt32} PRECEDING AND CURRENT ROW)
)
SELECT
    site, step, `from`, `to`, toString(device) AS subject,
    if(empty({switch_macs:Array(UInt64)}) AND empty({switch_names:Array(String)}), 'unlisted', '') AS variant,
    toFloat64(length(protocols)) + told / 1000. AS strength,
    map('announcements_seen', toFloat64(told), 'protocols_seen', toFloat64(length(protocols)),
        'forwards', toFloat64(has(protocols, 'stp') OR hasAny(capabilities, ['repeater', 'bridge', 'switch', 'access_point', 'router']))) AS inputs,
    map(
        'mac', MACNumToString(device),
        'vlan', arrayStringConcat(arrayMap(v -> toString(v), arraySlice(arraySort(vlans), 1, 5)), ', '),
        'protocols', upper(arrayStringConcat(protocols, ', ')),
        'name', if(name = '', 'no name', left(name, 64)),
        'what', multiIf(notEmpty(capabilities), replaceAll(arrayStringConcat(capabilities, ', '), '_', ' '), has(protocols, 'stp'), 'bridge', 'a device that does not say what it is'),
        'port', if(port = '', '', ', from its port ' || left(port, 64)),
        'description', if(description = '', '', 'It says of itself: ' || left(description, 120))) AS texts,
    if(inputs['forwards'] = 1, 95, 60) AS confidence,
    arrayMap(s -> toJSONString(s), samples) AS samples
FROM windows
WHERE told >= {announcements:Float64}
