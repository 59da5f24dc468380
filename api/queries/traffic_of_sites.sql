-- Sums without hosts: hours from the hourly sums, slots of five minutes around them, what is left from the minutes.
(
    SELECT
        toDateTime(hour, 'UTC') AS at, site, `group`, service, category, application, name_source,
        bytes_up, bytes_down, packets_up, packets_down, flows
    FROM sites_1h
    WHERE hour >= toDateTime({first_hour:Int64}, 'UTC')
      AND hour < toDateTime({last_hour:Int64}, 'UTC')
      AND (/*filters*/)
    UNION ALL
    SELECT
        toDateTime(slot, 'UTC') AS at, site, `group`, service, category, application, name_source,
        bytes_up, bytes_down, packets_up, packets_down, flows
    FROM sites_5m
    WHERE slot >= toDateTime({first_slot:Int64}, 'UTC')
      AND slot < toDateTime({last_slot:Int64}, 'UTC')
      AND (slot < toDateTime({first_hour:Int64}, 'UTC') OR slot >= toDateTime({last_hour:Int64}, 'UTC'))
      AND (/*filters*/)
    UNION ALL
    SELECT
        toDateTime(minute, 'UTC') AS at, site, `group`, service, category, application, name_source,
        bytes_up, bytes_down, packets_up, packets_down, flows
    FROM traffic_1m
    WHERE minute >= toDateTime(intDiv({first:Int64}, 1000000), 'UTC')
      AND minute < toDateTime(intDiv({last:Int64}, 1000000), 'UTC')
      AND (minute < toDateTime({first_slot:Int64}, 'UTC') OR minute >= toDateTime({last_slot:Int64}, 'UTC'))
      AND (/*filters*/)
) AS traffic
