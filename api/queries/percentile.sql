-- Rates of each site over whole slots of five minutes: percentile, mean and greatest. A slot in which a sensor
-- of the site reported counts with what was moved in it, zero too; one that nobody watched does not count.
SELECT
    toString(slot_site) AS site,
    count() AS samples,
    quantileExactInclusive({part:Float64})(received) * 8 / 300 AS received_percentile,
    avg(received) * 8 / 300 AS received_mean,
    max(received) * 8 / 300 AS received_greatest,
    quantileExactInclusive({part:Float64})(sent) * 8 / 300 AS sent_percentile,
    avg(sent) * 8 / 300 AS sent_mean,
    max(sent) * 8 / 300 AS sent_greatest
FROM
(
    SELECT slot_site, slot, sum(slot_received) AS received, sum(slot_sent) AS sent
    FROM
    (
        /*sums*/
        UNION ALL
        SELECT site AS slot_site, toStartOfFiveMinutes(ts) AS slot, 0. AS slot_received, 0. AS slot_sent
        FROM health
        WHERE toStartOfFiveMinutes(ts) >= toDateTime(intDiv({first:Int64}, 1000000), 'UTC')
          AND toStartOfFiveMinutes(ts) < toDateTime(intDiv({last:Int64}, 1000000), 'UTC')
          AND (empty({sites:Array(String)}) OR has({sites:Array(String)}, toString(site)))
        GROUP BY site, toStartOfFiveMinutes(ts)
    )
    GROUP BY slot_site, slot
)
GROUP BY slot_site
ORDER BY slot_site
