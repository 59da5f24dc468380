-- Sums by host and service over whole minutes: hours from the hourly sums, what is left from the minutes.
(
    SELECT
        toDateTime(hour, 'UTC') AS at, site, `group`, client, service, category, application, name_source,
        bytes_up, bytes_down, packets_up, packets_down, flows
    FROM traffic_1h
    WHERE hour >= toDateTime({first_hour:Int64}, 'UTC')
      AND hour < toDateTime({last_hour:Int64}, 'UTC')
      AND (/*filters*/)
    UNION ALL
    SELECT
        toDateTime(minute, 'UTC') AS at, site, `group`, client, service, category, application, name_source,
        bytes_up, bytes_down, packets_up, packets_down, flows
    FROM traffic_1m
    WHERE minute >= toDateTime(intDiv({first:Int64}, 1000000), 'UTC')
      AND minute < toDateTime(intDiv({last:Int64}, 1000000), 'UTC')
      AND (minute < toDateTime({first_hour:Int64}, 'UTC') OR minute >= toDateTime({last_hour:Int64}, 'UTC'))
      AND (/*filters*/)
) AS traffic
