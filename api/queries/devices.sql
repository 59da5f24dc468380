-- Devices by MAC: what they said of themselves, and what moved under their MAC. A device without flow
-- rows has null bytes: it was heard, not measured. Unspecified addresses are
-- nobody's (RFC 4291, 2.5.2; RFC 1122, 3.2.1.3).
WITH
seen AS
(
    SELECT
        toString(site) AS place,
        mac AS device,
        -- RADIUS and Kerberos name users.
        arraySlice(arraySort(groupUniqArrayIf(100)(name, name != '' AND source NOT IN ('radius', 'kerberos'))), 1, 10)
            AS own_names,
        groupUniqArrayIf(100)(ip, ip NOT IN (toIPv6('::'), toIPv6('0.0.0.0'))) AS own_addresses,
        arraySort(groupUniqArray(toString(source))) AS sources,
        min(ts) AS a,
        max(ts) AS b
    FROM sightings
    WHERE ts >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      AND ts < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
      AND mac != 0
    GROUP BY place, device
),
used AS
(
    SELECT
        toString(site) AS place,
        client_mac AS device,
        groupUniqArrayIf(100)(client, client NOT IN (toIPv6('::'), toIPv6('0.0.0.0'))) AS own_addresses,
        arraySort(groupUniqArray(10)(toString(`group`))) AS groups,
        arraySort(groupUniqArrayIf(10)(toString(device_ownership), device_ownership != '')) AS ownership,
        sum(bytes_up) AS up,
        sum(bytes_down) AS down,
        countIf(`start` = `first`) AS opened,
        min(`start`) AS a,
        max(`end`) AS b
    FROM flows
    WHERE `start` >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
      AND `start` < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
      AND client_mac != 0
    GROUP BY place, device
)
SELECT
    site, mac, names, addresses, address_count, sources, `groups`, ownership, bytes_up, bytes_down, flows,
    earliest, latest
FROM
(
    SELECT
        if(s.device != 0, s.place, u.place) AS site,
        if(s.device != 0, s.device, u.device) AS mac,
        s.own_names AS names,
        arrayDistinct(arrayConcat(s.own_addresses, u.own_addresses)) AS all_addresses,
        arrayMap(a -> toString(a), arraySlice(arraySort(all_addresses), 1, 16)) AS addresses,
        all_addresses AS every_address,
        length(all_addresses) AS address_count,
        s.sources AS sources,
        u.groups AS `groups`,
        u.ownership AS ownership,
        if(u.device != 0, toNullable(u.up), NULL) AS bytes_up,
        if(u.device != 0, toNullable(u.down), NULL) AS bytes_down,
        if(u.device != 0, toNullable(u.opened), NULL) AS flows,
        toUnixTimestamp64Micro(multiIf(s.device = 0, u.a, u.device = 0, s.a, least(s.a, u.a))) AS earliest,
        toUnixTimestamp64Micro(greatest(s.b, u.b)) AS latest
    FROM seen AS s
    FULL OUTER JOIN used AS u ON s.place = u.place AND s.device = u.device
)
WHERE ({mac:UInt64} = 0 OR mac = {mac:UInt64})
  AND (empty({sites:Array(String)}) OR has({sites:Array(String)}, site))
  AND (empty({clients:Array(String)}) OR hasAny(every_address, arrayMap(a -> toIPv6(a), {clients:Array(String)})))
  AND (empty({wanted:Array(String)}) OR hasAny(`groups`, {wanted:Array(String)}))
  AND (mac, site) > ({after_mac:UInt64}, {after_site:String})
ORDER BY mac, site
LIMIT {limit:UInt32}
