-- Sites that policy prohibits and that fail in one way, in minutes in which what policy allows does not: the mark of
-- a filter that acts by name or address, since an outage knows no policy. By site, two minutes and mechanism: the
-- prohibited services (a registered domain where no list names its service) with the networks of their servers.
-- With `prohibited_alone`, what policy allows is neither read nor counted: without such a row there is none at all.
WITH
    toIPv6('::ffff:0.0.0.0') AS first4,
    toIPv6('::ffff:255.255.255.255') AS last4,
    has({methods:Array(String)}, 'inspection') AS inspected,
    greatest({delivered_bytes:Float64}, {block_page_bytes:Float64} + {page_margin:Float64}) AS bound,

ways AS
(
    SELECT
        site, toStartOfInterval(first, toIntervalSecond({slot_s:UInt32})) AS slot,
        action = 'prohibit' AS prohibited,
        if(service != '', service, cutToFirstSignificantSubdomain(server_name)) AS unit,
        multiIf(
            inspected AND protocol = 6 AND bitAnd(hello, 3) = 3 AND acked_down <= bound,
            if(acked_down > 0 AND payload_down >= {page_least:Float64} * {block_page_bytes:Float64}
                AND {block_page_bytes:Float64} > 0, 'tls_page', ''),
            bitAnd(hello, 3) = 3 AND acked_down > 0 OR ifNull(http_status, 0) BETWEEN 200 AND 399, 'served tcp',
            protocol = 17 AND application = 'quic' AND packets_down >= {quic_packets:Float64}, 'served quic',
            start != first, '',
            protocol = 17, if(name_source = 'quic' AND packets_up >= 2 AND packets_down = 0
                AND dateDiff('millisecond', start, end) >= 1000 * {quic_silence_s:Float64}, 'quic_silence', ''),
            bitAnd(hello, 7) = 5, 'alert',
            reset_by = 'server' AND bitAnd(hello, 3) = 1 AND acked_down = 0, 'reset',
            payload_down > 0 OR acked_down > 0 OR lost > 0 OR reset_by = 'server' AND hello != 0, '',
            hello = 1, multiIf(retransmits_up >= {retransmissions:Float64}, 'silence',
                bitAnd(flags_down, 1) != 0 AND dateDiff('millisecond', start, end) < 1000 * {closed_s:Float64}, 'closed', ''),
            payload_up > 0, '',
            state = 'REJ', 'syn_reset',
            state = 'S0' AND packets_up >= {syns:Float64}, 'syn_silence',
            '') AS way,
        groupUniqArrayIf(16)(client, action = 'prohibit') AS hosts,
        groupUniqArray(IPv6CIDRToRange(server, if(server BETWEEN first4 AND last4, 112, 32)).1) AS networks
    FROM flows
    WHERE start >= {read_from:DateTime64(6, 'UTC')} AND start < {read_to:DateTime64(6, 'UTC')}
        AND first >= {read_from:DateTime64(6, 'UTC')}
        AND action != 'limit' AND (action = 'prohibit' OR NOT {prohibited_alone:Bool})
        AND server_name != '' AND protocol IN (6, 17) AND way != '' AND unit != ''
        AND NOT (prohibited AND hasAny(categories, {short_lived_categories:Array(String)}))
        AND site IN
        (
            SELECT site FROM flows
            WHERE start >= {read_from:DateTime64(6, 'UTC')} AND start < {read_to:DateTime64(6, 'UTC')}
                AND action = 'prohibit' AND server_name != ''
                AND (inspected OR payload_down = 0 OR bitAnd(hello, 4) != 0)
            GROUP BY site
            HAVING uniq(cutToFirstSignificantSubdomain(server_name)) >= {selective_sites:Float64}
        )
    GROUP BY site, slot, prohibited, unit, way

    UNION ALL

    SELECT
        site, toStartOfInterval(ts, toIntervalSecond({slot_s:UInt32})) AS slot,
        action = 'prohibit' AS prohibited,
        if(service != '', service, cutToFirstSignificantSubdomain(qname)) AS unit,
        multiIf(
            isNull(rcode), 'dns_silence',
            rcode = 0 AND notEmpty(addresses) AND NOT hasAny(addresses, {sinkholes:Array(IPv6)}), 'served dns',
            -- Many sites have no IPv6.
            rcode = 0 AND empty(addresses) AND qtype = 1, 'dns_nodata',
            -- A resolver that heard nothing says so in the end; a filter does not.
            rcode = 2, 'failed dns',
            '') AS way,
        groupUniqArrayIf(16)(client, action = 'prohibit') AS hosts,
        CAST([], 'Array(IPv6)') AS networks
    FROM dns
    WHERE ts >= {read_from:DateTime64(6, 'UTC')} AND ts < {read_to:DateTime64(6, 'UTC')}
        AND action != 'limit' AND (action = 'prohibit' OR NOT {prohibited_alone:Bool})
        AND transport IN ('udp', 'tcp') AND qtype IN (1, 28) AND way != '' AND unit != ''
        AND (empty({resolvers:Array(IPv6)}) OR has({resolvers:Array(IPv6)}, server))
        AND NOT (prohibited AND hasAny(categories, {short_lived_categories:Array(String)}))
        AND hasAny({selective_words:Array(String)}, {dns_words:Array(String)})
        AND site IN
        (
            SELECT site FROM dns
            WHERE ts >= {read_from:DateTime64(6, 'UTC')} AND ts < {read_to:DateTime64(6, 'UTC')}
                AND action = 'prohibit' AND (isNull(rcode) OR rcode = 0 AND empty(addresses) AND qtype = 1)
            GROUP BY site
            HAVING uniq(cutToFirstSignificantSubdomain(qname)) >= {selective_sites:Float64}
        )
    GROUP BY site, slot, prohibited, unit, way
),

-- What each service met in a slot and the slots around it.
met AS
(
    SELECT
        site, period, prohibited, unit,
        groupArray(way) AS words, groupArray(hosts) AS failed_for, groupUniqArrayArray(networks) AS networks
    FROM
    (
        SELECT
            site, prohibited, unit, way,
            arrayJoin([-1, 0, 1]) * {slot_s:UInt32} + toUnixTimestamp(slot) AS period,
            length(groupUniqArrayArray(ways.hosts)) AS hosts,
            groupUniqArrayArray(ways.networks) AS networks
        FROM ways
        GROUP BY site, prohibited, unit, way, period
    )
    GROUP BY site, period, prohibited, unit
),

-- Prohibited services that were reached in the days before.
reached AS
(
    SELECT DISTINCT site, if(service != '', service, cutToFirstSignificantSubdomain(name)) AS unit
    FROM attempts FINAL
    WHERE toStartOfHour(window_start)
            >= toStartOfHour({emit_from:DateTime64(6, 'UTC')} - toIntervalDay({worked_days:UInt32}))
        AND window_start >= {emit_from:DateTime64(6, 'UTC')} - toIntervalDay({worked_days:UInt32})
        AND window_start < {emit_from:DateTime64(6, 'UTC')}
        AND action = 'prohibit' AND verdict IN ('allowed', 'partial')
),

-- Those that failed in a way on several days before.
steady AS
(
    SELECT
        site, if(service != '', service, cutToFirstSignificantSubdomain(name)) AS unit,
        replaceOne(arrayJoin(evidence), '_bare', '') AS word
    FROM attempts FINAL
    WHERE toStartOfHour(window_start)
            >= toStartOfHour({emit_from:DateTime64(6, 'UTC')} - toIntervalDay({resolved_days:UInt32}))
        AND window_start >= {emit_from:DateTime64(6, 'UTC')} - toIntervalDay({resolved_days:UInt32})
        AND window_start < toStartOfDay({emit_from:DateTime64(6, 'UTC')})
        AND action = 'prohibit' AND word IN {steady_words:Array(String)}
    GROUP BY site, unit, word
    HAVING uniqExact(toDate(window_start)) >= {steady_days:Float64}
),

judged AS
(
    SELECT
        site, period, unit, prohibited, networks, word,
        has({dns_words:Array(String)}, word) AS asked,
        multiIf(asked, 'served dns', word = 'quic_silence', 'served quic', 'served tcp') AS well,
        if(asked, hasAny(words, ['served dns', 'failed dns', 'served tcp', 'served quic']),
            hasAny(words, ['served tcp', 'served quic'])) AS through,
        min(if(through, period, 4294967295)) OVER (PARTITION BY site, prohibited, unit, word) < period AS worked,
        NOT has(words, well) AND has(words, word) AS failed,
        has(words, well) AS served,
        prohibited AND failed AND NOT through AND NOT worked
            AND arrayElement(failed_for, indexOf(words, word)) >= {selective_hosts:Float64}
            AND (site, unit) NOT IN (SELECT site, unit FROM reached)
            AND (NOT has({steady_words:Array(String)}, word)
                OR (site, unit, word) IN (SELECT site, unit, word FROM steady)) AS stopped
    FROM met
    ARRAY JOIN {selective_words:Array(String)} AS word
)

SELECT
    site, period, word,
    groupArrayIf(unit, stopped) AS units,
    groupArrayIf(networks, stopped) AS networks,
    uniqExactIf(unit, prohibited AND through) AS leaks,
    uniqExactIf(unit, NOT prohibited AND served) AS others,
    length(groupUniqArrayArrayIf(judged.networks, NOT prohibited AND served)) AS others_networks,
    uniqExactIf(unit, NOT prohibited AND failed) AS others_failed
FROM judged
WHERE period >= {periods_from:UInt32} AND period < {periods_to:UInt32}
GROUP BY site, period, word
HAVING length(units) >= {selective_sites:Float64}
    AND leaks <= {selective_leaks:Float64} * length(units)
    AND ({prohibited_alone:Bool} OR others >= {selective_sites:Float64}
        AND (max(asked) OR others_networks >= {selective_sites:Float64})
        AND others_failed <= {selective_share:Float64} * (others + others_failed))
SETTINGS prefer_column_name_to_alias = 1
