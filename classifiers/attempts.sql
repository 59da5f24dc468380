-- Attempts to reach a name between `emit_from` and `emit_to`, judged over DNS, TCP and QUIC together.
-- Reads further than it emits, so that an attempt comes out the same whatever range asked for it.
WITH
    toDateTime64(0, 6, 'UTC') AS never,
    toDateTime64('2200-01-01 00:00:00', 6, 'UTC') AS later,
    -- Addresses that deliver nothing but a block page.
    {sinkholes:Array(IPv6)} AS sinkholes,
    greatest({delivered_bytes:Float64}, {block_page_bytes:Float64} + {page_margin:Float64}) AS bound,
    has({methods:Array(String)}, 'inspection') AS inspected,
    notEmpty({methods:Array(String)}) AND NOT inspected AS plain_filter,

asked AS
(
    SELECT
        site, client, qname AS name, ts AS at, `group`, categories, service, action, clause, policy_version,
        server AS resolver,
        arrayExists(address -> NOT has(sinkholes, address), addresses) AS real,
        arrayFilter(word -> word != '', [
            if(has({ede_codes:Array(UInt16)}, ifNull(ede, 65535)), 'dns_ede', ''),
            if(hasAny(addresses, sinkholes) OR hasAny(answers, {block_hosts:Array(String)}), 'dns_sinkhole', ''),
            multiIf(
                ifNull(rcode, 255) = 3, if(ifNull(ra, true), 'dns_nxdomain', 'dns_nxdomain_ra0'),
                ifNull(rcode, 255) = 5, 'dns_refused',
                ifNull(rcode, 255) = 0 AND qtype IN (1, 28) AND empty(addresses), 'dns_nodata',
                '')
        ]) AS marks,
        toJSONString(tuple(ts, client, server, qname, qtype, rcode, ra, ede, answers, addresses)) AS sample
    FROM dns
    WHERE ts >= {read_from:DateTime64(6, 'UTC')} AND ts < {read_to:DateTime64(6, 'UTC')}
        AND transport IN ('udp', 'tcp') AND qtype IN (1, 28, 65) AND qname != ''
        -- The block page's own host is the answer to an attempt, not one.
        AND qname NOT IN {block_hosts:Array(String)}
        AND
        (
            notEmpty(categories) OR action IN ('prohibit', 'limit')
            -- Names on no list are kept where the filter plainly stopped them: over-blocking.
            OR ifNull(rcode, 255) IN (3, 5) AND (rcode = 5 OR NOT ifNull(ra, true))
            OR has({ede_codes:Array(UInt16)}, ifNull(ede, 65535))
            OR hasAny(addresses, sinkholes) OR hasAny(answers, {block_hosts:Array(String)})
            OR (site, client, qname) IN
            (
                SELECT site, client, server_name FROM flows
                WHERE start >= {read_from:DateTime64(6, 'UTC')} AND start < {read_to:DateTime64(6, 'UTC')}
                    AND server_name != ''
                    AND (http_status = 511 OR http_location IN {block_hosts:Array(String)} OR has(sinkholes, server))
            )
        )
),

-- Resolvers that refused a client one name and answered it others, by slot.
answering AS
(
    SELECT DISTINCT site AS answering_site, client AS answering_client, server AS answering_resolver,
        toStartOfInterval(ts, toIntervalSecond({slot_s:UInt32})) AS answering_slot
    FROM dns
    WHERE ts >= {read_from:DateTime64(6, 'UTC')} AND ts < {read_to:DateTime64(6, 'UTC')}
        AND rcode = 0
        AND (client, server) IN
        (
            SELECT client, server FROM dns
            WHERE ts >= {read_from:DateTime64(6, 'UTC')} AND ts < {read_to:DateTime64(6, 'UTC')} AND rcode = 5
        )
),

connections AS
(
    SELECT
        site, client, server_name AS name, min(first) AS at, any(server) AS server, any(protocol) AS protocol,
        any(name_source) AS source,
        argMax(`group`, start) AS `group`, argMax(categories, start) AS categories,
        argMax(service, start) AS service, argMax(action, start) AS action, argMax(clause, start) AS clause,
        argMax(policy_version, start) AS policy_version,
        groupBitOr(hello) AS hellos,
        sum(acked_down) AS acked, sum(bytes_down) AS down, sum(payload_up) AS sent, sum(payload_down) AS given,
        sum(packets_up) AS packets_out, sum(packets_down) AS packets_in, sum(retransmits_up) AS again,
        dateDiff('millisecond', min(first), max(end)) AS lasted_ms,
        max(reset_by = 'server') AS reset, max(abs(ifNull(reset_ttl_delta, 0))) AS ttl_delta,
        -- A proxy's answer to CONNECT says that the tunnel is open, not what came through it.
        max(http_method = 'CONNECT') AND (source = 'sni' OR max(ifNull(http_status, 0)) BETWEEN 200 AND 299)
            AS tunnelled,
        max(http_method != '') AND NOT tunnelled AS requested,
        if(tunnelled, 0, max(ifNull(http_status, 0))) AS status, if(tunnelled, '', max(http_location)) AS location,
        toJSONString(tuple(min(first) AS ts, client, any(client_port) AS port, any(server) AS server,
            any(server_port) AS server_port, any(application) AS application, server_name,
            any(name_source) AS name_source, argMax(state, start) AS state, sensor, flow_id)) AS sample
    FROM flows
    WHERE start >= {read_from:DateTime64(6, 'UTC')}
        AND start < {read_to:DateTime64(6, 'UTC')} + toIntervalSecond({reach_s:UInt32})
        AND first >= {read_from:DateTime64(6, 'UTC')} AND first < {read_to:DateTime64(6, 'UTC')}
        AND start < first + toIntervalSecond({reach_s:UInt32})
        AND server_name != '' AND protocol IN (6, 17)
        AND server_name NOT IN {block_hosts:Array(String)}
        AND
        (
            notEmpty(categories) OR action IN ('prohibit', 'limit')
            OR http_status = 511 OR http_location IN {block_hosts:Array(String)} OR has(sinkholes, server)
            OR (site, client, server_name) IN
            (
                SELECT site, client, qname FROM dns
                WHERE ts >= {read_from:DateTime64(6, 'UTC')} AND ts < {read_to:DateTime64(6, 'UTC')}
                    AND (rcode = 5 OR rcode = 3 AND NOT ra OR has({ede_codes:Array(UInt16)}, ifNull(ede, 65535))
                        OR hasAny(addresses, sinkholes) OR hasAny(answers, {block_hosts:Array(String)}))
            )
        )
    GROUP BY site, client, server_name, sensor, flow_id
),

reached AS
(
    SELECT
        *,
        arrayFilter(word -> word != '', [
            multiIf(
                status = 511 OR location != '' AND arrayExists(
                    host -> location = host OR endsWith(location, concat('.', host)), {block_hosts:Array(String)}),
                'http_block_page',
                has(sinkholes, server), if(requested, 'http_block_page', 'dns_sinkhole'),
                status IN (403, 451) AND {block_page_bytes:Float64} > 0 AND given > 0
                    AND given <= {block_page_bytes:Float64} + {page_margin:Float64}
                    AND hasAny({methods:Array(String)}, ['redirect', 'inspection']),
                'http_block_page',
                ''),
            if(protocol = 6 AND reset AND (bitAnd(hellos, 3) = 1 OR requested AND status = 0), 'reset', ''),
            if(protocol = 6 AND bitAnd(hellos, 7) = 5, 'alert', ''),
            if(protocol = 6 AND hellos = 1 AND NOT reset AND given = 0
                AND again >= {retransmissions:Float64}, 'silence', ''),
            if(protocol = 17 AND source = 'quic' AND packets_out >= 2 AND packets_in = 0
                AND lasted_ms >= 1000 * {quic_silence_s:Float64}, 'quic_silence', '')
        ]) AS marks,
        multiIf(
            has(marks, 'http_block_page') OR has(sinkholes, server), 0,
            source = 'http' AND tunnelled, if(acked > bound, {delivered_http:UInt8}, 0),
            source = 'http' AND status >= 200 AND status < 400,
            if((location = '' OR location = name OR cutToFirstSignificantSubdomain(location)
                = cutToFirstSignificantSubdomain(name)) AND (NOT inspected OR acked > bound),
                {delivered_http:UInt8}, 0),
            source = 'http' OR status != 0, 0,
            bitAnd(hellos, 3) = 3 AND acked > bound, {delivered_tls:UInt8},
            source = 'quic' AND packets_out >= {quic_packets:Float64} AND down > bound, {delivered_quic:UInt8},
            plain_filter AND bitAnd(hellos, 3) = 3 AND NOT reset AND sent >= {small_payload_up:Float64}
                AND acked >= {small_acked_down:Float64}, {delivered_small:UInt8},
            plain_filter AND source = 'quic' AND packets_out >= {quic_packets:Float64}
                AND packets_in >= {quic_packets:Float64}, {delivered_small:UInt8},
            source = 'dns' AND sent > 0 AND if(protocol = 6, acked, down) > bound, {delivered_named_by_dns:UInt8},
            0) AS delivered
    FROM connections
),

-- Servers that gave something under a name, by slot and the slots around it.
serving AS
(
    SELECT site AS serving_site, server AS serving_server, groupUniqArray(3)(server_name) AS names,
        arrayJoin([-1, 0, 1]) * {slot_s:UInt32}
            + toUnixTimestamp(toStartOfInterval(first, toIntervalSecond({slot_s:UInt32}))) AS serving_slot
    FROM flows
    WHERE start >= {read_from:DateTime64(6, 'UTC')} AND start < {read_to:DateTime64(6, 'UTC')}
        AND server_name != '' AND (bitAnd(hello, 3) = 3 AND acked_down > 0 OR application = 'quic' AND packets_down >= {quic_packets:Float64})
        AND server IN
        (
            SELECT server FROM flows
            WHERE start >= {read_from:DateTime64(6, 'UTC')} AND start < {read_to:DateTime64(6, 'UTC')}
                AND (notEmpty(categories) OR action IN ('prohibit', 'limit'))
                AND (reset_by = 'server' OR bitAnd(hello, 7) = 5 OR hello = 1 OR packets_down = 0)
        )
    GROUP BY serving_site, serving_server, serving_slot
),

events AS
(
    SELECT
        site, client, name, at, `group`, categories, service,
        action, clause, policy_version, 1 AS dns, 0 AS tcp, 0 AS quic, 0 AS down, real,
        arrayFilter(word -> word != 'dns_refused' OR answering_slot != toDateTime(0), marks) AS marks,
        emptyArrayString() AS corroborators, 0 AS delivered, sample
    FROM asked
    LEFT JOIN answering ON answering_site = site AND answering_client = client AND answering_resolver = resolver
        AND answering_slot = toStartOfInterval(at, toIntervalSecond({slot_s:UInt32}))
    UNION ALL
    SELECT
        site, client, name, at, `group`, categories, service, action, clause, policy_version,
        0 AS dns, protocol = 6 AS tcp, protocol = 17 AS quic, down, 0 AS real, marks,
        arrayFilter(word -> word != '', [
            if(has(marks, 'reset') AND ttl_delta >= {ttl_delta:Float64}, 'ttl', ''),
            if(hasAny(marks, ['reset', 'alert', 'silence', 'quic_silence'])
                AND arrayExists(other -> other != name, names), 'server', '')
        ]) AS corroborators,
        delivered, sample
    FROM reached
    LEFT JOIN serving ON serving_site = site AND serving_server = server
        AND serving_slot = toInt64(toUnixTimestamp(toStartOfInterval(at, toIntervalSecond({slot_s:UInt32}))))
),

spaced AS
(
    SELECT
        *,
        lagInFrame(at, 1, never) OVER (PARTITION BY site, client, name ORDER BY at
            ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
    FROM events
),

placed AS
(
    SELECT
        *,
        max(if(at > before + toIntervalSecond({gap_s:UInt32}), at, never)) OVER (PARTITION BY site, client, name
            ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS opened,
        toDateTime64(toStartOfInterval(at, toIntervalSecond({slot_s:UInt32})), 6, 'UTC') AS slot,
        -- What never pauses is cut at the multiples of a slot, once it has filled a slot.
        if(slot - toIntervalSecond({slot_s:UInt32}) >= opened, slot, opened) AS window_start
    FROM spaced
),

joined AS
(
    SELECT
        site, client, name, window_start,
        toInt64(toUnixTimestamp(toStartOfInterval(window_start, toIntervalSecond({slot_s:UInt32})))) AS period,
        min(at) AS first, max(at) AS last,
        argMax(`group`, (at, sample)) AS `group`, arraySort(groupUniqArrayArray(categories)) AS categories,
        argMax(service, (service != '', at, sample)) AS service,
        argMax(action, (action = 'prohibit', action = 'limit', at, sample)) AS action,
        argMax(clause, (action = 'prohibit', action = 'limit', at, sample)) AS clause,
        argMax(policy_version, (at, sample)) AS policy_version,
        sum(dns) AS dns, sum(tcp) AS tcp, sum(quic) AS quic, sum(down) AS bytes_down,
        max(real) AS resolved, max(delivered) AS delivery,
        -- Having no address of one family says nothing where the other has one.
        arraySort(arrayFilter(word -> NOT (resolved AND word IN ('dns_nxdomain', 'dns_nodata')),
            groupUniqArrayArray(marks))) AS marks,
        arraySort(groupUniqArrayArray(corroborators)) AS seen_corroborators,
        groupArraySorted(10)(sample) AS samples
    FROM placed
    GROUP BY site, client, name, window_start
),

grouped AS
(
    SELECT
        site, name, period,
        uniqExactStateIf(client, notEmpty(marks) AND delivery = 0) AS failing_state,
        min(if(resolved AND window_start >= {emit_from:DateTime64(6, 'UTC')}, window_start, later)) AS period_resolved,
        groupArray(tuple(client, window_start, first, last, `group`, categories, service, action, clause,
            policy_version, dns, tcp, quic, bytes_down, resolved, delivery, marks, seen_corroborators, samples))
            AS members
    FROM joined
    GROUP BY site, name, period
),

around AS
(
    SELECT
        site, name, period, members,
        uniqExactMerge(failing_state) OVER (PARTITION BY site, name ORDER BY period
            RANGE BETWEEN {slot_s:UInt32} PRECEDING AND {slot_s:UInt32} FOLLOWING) AS failing,
        min(period_resolved) OVER (PARTITION BY site, name) AS resolved_here
    FROM grouped
),

-- Names that resolved in the days before.
resolving AS
(
    SELECT site AS resolving_site, name AS resolving_name, 1 AS resolved_before
    FROM attempts FINAL
    WHERE toStartOfHour(window_start)
            >= toStartOfHour({emit_from:DateTime64(6, 'UTC')} - toIntervalDay({resolved_days:UInt32}))
        AND window_start >= {emit_from:DateTime64(6, 'UTC')} - toIntervalDay({resolved_days:UInt32})
        AND window_start < {emit_from:DateTime64(6, 'UTC')} AND resolved
    GROUP BY site, name
),

ranked AS
(
    SELECT
        site, name, period, failing, resolved_here, member.client AS client, member.window_start AS window_start,
        member.first AS first, member.last AS last, member.`group` AS `group`, member.categories AS categories,
        member.service AS service, member.action AS action, member.clause AS clause,
        member.policy_version AS policy_version, member.dns AS dns, member.tcp AS tcp, member.quic AS quic,
        member.bytes_down AS bytes_down, member.resolved AS resolved, member.delivery AS delivery,
        member.marks AS marks, member.seen_corroborators AS seen_corroborators, member.samples AS samples,
        arrayReverseSort(
            word -> (transform(word, {words:Array(String)}, {points:Array(UInt8)}, 0), word), member.marks)[1]
            AS mechanism
    FROM around
    ARRAY JOIN members AS member
    WHERE member.window_start >= {emit_from:DateTime64(6, 'UTC')}
        AND member.window_start < {emit_to:DateTime64(6, 'UTC')}
),

corroborated AS
(
    SELECT
        *,
        transform(mechanism, {words:Array(String)}, {points:Array(UInt8)}, 0) AS strongest,
        if(empty(marks), emptyArrayString(), arraySort(arrayConcat(
            seen_corroborators,
            if(failing >= 2, ['clients'], emptyArrayString()),
            if(has({dns_words:Array(String)}, mechanism)
                AND (resolved_before = 1 OR resolved_here < window_start), ['resolved'], emptyArrayString())
        ))) AS corroborators,
        transform(concat(site, '/', toString(period)), {loss_keys:Array(String)}, {loss_shares:Array(Float64)}, 0.)
            AS loss
    FROM ranked
    LEFT JOIN resolving ON resolving_site = site AND resolving_name = name
),

scored AS
(
    SELECT
        *,
        if(strongest = 0, 0, least({most:Float64}, strongest + {corroborator:Float64} * length(corroborators))) AS score
    FROM corroborated
),

judged AS
(
    SELECT
        *,
        multiIf(
            delivery > 0 AND score >= {blocked_from:Float64}, 'partial',
            delivery > 0, 'allowed',
            score >= {blocked_from:Float64}
                AND NOT (has({absence_words:Array(String)}, mechanism) AND loss > {loss_bound:Float64}), 'blocked',
            'inconclusive') AS verdict
    FROM scored
),

attempted AS
(
    SELECT
        site, client, `group`, name, window_start, first, last, categories, service, action, clause, policy_version,
        verdict, mechanism,
        toUInt8(multiIf(verdict = 'partial', least(delivery, score), verdict = 'allowed', delivery, score))
            AS confidence,
        corroborators,
        arrayConcat(marks, if(delivery > 0, ['delivered'], emptyArrayString())) AS evidence,
        toUInt64(bytes_down) AS bytes_down, toUInt32(dns) AS dns, toUInt32(tcp) AS tcp, toUInt32(quic) AS quic,
        toBool(resolved) AS resolved,
        toBool(hasAny(categories, {embedded_categories:Array(String)}) AND dns = 0 AND verdict != 'blocked'
            AND bytes_down < {embedded_bytes:Float64}) AS embedded,
        loss, samples
    FROM judged
)

SELECT
    *,
    cityHash64(tuple(`group`, first, last, categories, service, action, clause, policy_version, verdict, mechanism,
        confidence, corroborators, evidence, bytes_down, dns, tcp, quic, resolved, embedded, loss, samples)) AS content
FROM attempted
SETTINGS enable_named_columns_in_function_tuple = 1, prefer_column_name_to_alias = 1
