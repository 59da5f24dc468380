-- Sums of hosts whatever they did: hours from the hourly sums, what is left from the minutes.
(
    SELECT
        site, client, bytes_up, bytes_down, packets_up, packets_down, flows, by_none, by_sni, by_quic, by_http, by_dns
    FROM usage_1h
    WHERE hour >= toDateTime({first_hour:Int64}, 'UTC')
      AND hour < toDateTime({last_hour:Int64}, 'UTC')
      AND (/*filters*/)
    UNION ALL
    SELECT
        site, client, bytes_up, bytes_down, packets_up, packets_down, flows,
        if(name_source = 'none', bytes_up + bytes_down, 0) AS by_none,
        if(name_source = 'sni', bytes_up + bytes_down, 0) AS by_sni,
        if(name_source = 'quic', bytes_up + bytes_down, 0) AS by_quic,
        if(name_source = 'http', bytes_up + bytes_down, 0) AS by_http,
        if(name_source = 'dns', bytes_up + bytes_down, 0) AS by_dns
    FROM traffic_1m
    WHERE minute >= toDateTime(intDiv({first:Int64}, 1000000), 'UTC')
      AND minute < toDateTime(intDiv({last:Int64}, 1000000), 'UTC')
      AND (minute < toDateTime({first_hour:Int64}, 'UTC') OR minute >= toDateTime({last_hour:Int64}, 'UTC'))
      AND (/*filters*/)
) AS traffic
