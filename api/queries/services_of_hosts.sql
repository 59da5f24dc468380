-- The three services that each of some hosts moved most by, each with where its name came from.
SELECT
    toString(site) AS host_site, toString(client) AS address, /*service*/ AS service,
    toString(application) AS application, toString(name_source) AS name_source, sum(bytes_up + bytes_down) AS bytes
FROM /*traffic*/
GROUP BY host_site, address, service, application, name_source
ORDER BY bytes DESC, host_site, address, service, application, name_source
LIMIT 3 BY host_site, address
