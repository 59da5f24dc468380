-- Attempts to reach a name between `emit_from` and `emit_to`, judged over DNS, TCP and QUIC together.
-- Reads further than it emits, so that an attempt comes out the same whatever range asked for it.
WITH
    toDateTime64(0, 6, 'UTC') AS never,
    toDateTime64('2200-01-01 00:00:00', 6, 'UTC') AS later,
    toIPv6('::ffff:0.0.0.0') AS first4,
    toIPv6('::ffff:255.255.255.255') AS last4,
    -- Addresses that deliver nothing but a block page.
    {sinkholes:Array(IPv6)} AS sinkholes,
    greatest({delivered_bytes:Float64}, {block_page_bytes:Float64} + {page_margin:Float64}) AS bound,
    has({methods:Array(String)}, 'inspection') AS inspected,
    notEmpty({methods:Array(String)}) AND NOT inspected AS plain_filter,
    -- Outside of a filter that answers in a server's place, its own traffic is not the client's.
    {outside:Bool} AND (inspected OR empty({methods:Array(String)})) AS hidden,

asked AS
(
    SELECT
        site, client, qname AS name, ts AS at, `group`, categories, service, action, clause, policy_version,
        server AS resolver, multiIf(qtype = 1, 'dns4', qtype = 28, 'dns6', '') AS path,
        -- REFUSED with the code "Prohibited" says that the client may not ask, of whatever name.
        ifNull(rcode, 255) = 5 AND ifNull(ede, 65535) = 18 AS shut,
        arrayFilter(word -> word != '', [
            if(has({ede_codes:Array(UInt16)}, ifNull(ede, 65535)), 'dns_ede', ''),
            if(hasAny(addresses, sinkholes) OR hasAny(answers, {block_hosts:Array(String)}), 'dns_sinkhole', ''),
            multiIf(
                ifNull(rcode, 255) = 3,
                multiIf(NOT ifNull(ra, true), 'dns_nxdomain_ra0', ifNull(soa, true), 'dns_nxdomain', 'dns_nxdomain_bare'),
                ifNull(rcode, 255) = 5, 'dns_refused',
                ifNull(rcode, 255) = 0 AND qtype IN (1, 28) AND empty(addresses),
                if(qtype = 28 OR notEmpty(answers) OR ifNull(soa, true), 'dns_nodata', 'dns_nodata_bare'),
                isNull(rcode), 'dns_silence',
                '')
        ]) AS signs,
        notEmpty(addresses) AND empty(signs) AS real,
        -- What is remembered of a name that does not exist is no authoritative answer.
        ifNull(aa, false) AS own_word,
        hasAny(signs, ['dns_ede', 'dns_refused', 'dns_nxdomain', 'dns_nxdomain_ra0', 'dns_nxdomain_bare', 'dns_nodata',
            'dns_nodata_bare']) AS weak,
        cityHash64(server, qtype, rcode, addresses) AS tie,
        -- The names stand in the type: a shard that is asked for a part of this keeps no others.
        toJSONString(CAST(tuple(ts, client, server, qname, qtype, rcode, ra, ede, answers, addresses),
            'Tuple(ts DateTime64(6, ''UTC''), client IPv6, server IPv6, qname String, qtype UInt16, rcode Nullable(UInt8), ra Nullable(Bool), ede Nullable(UInt16), answers Array(String), addresses Array(IPv6))')) AS sample
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

-- What resolvers answered, by 10 s: two names that got addresses and how many did; names on no list that failed.
answers AS
(
    SELECT
        site AS answers_site, server AS answers_server, toStartOfInterval(ts, toIntervalSecond(10)) AS bucket,
        rcode = 0 AND notEmpty(addresses) AND NOT hasAny(addresses, sinkholes) AS real,
        empty(categories) AND action NOT IN ('prohibit', 'limit') AS plain,
        groupUniqArrayIf(2)(qname, real) AS names,
        minIf(ts, real) AS earliest, maxIf(ts, real) AS latest,
        uniqExactIf(qname, real) AS resolving, max(real AND ifNull(ra, false)) AS recursing,
        uniqExactIf(qname, plain AND rcode = 5) AS refused, uniqExactIf(qname, plain AND rcode = 3) AS missing,
        countIf(plain AND rcode = 3 AND NOT ifNull(soa, true)) > 0 AS bare
    FROM dns
    WHERE ts >= {read_from:DateTime64(6, 'UTC')} AND ts < {read_to:DateTime64(6, 'UTC')}
        AND transport IN ('udp', 'tcp') AND qtype IN (1, 28, 65) AND rcode IN (0, 3, 5)
        AND (site, server) IN
        (
            SELECT site, server FROM dns
            WHERE ts >= {read_from:DateTime64(6, 'UTC')} AND ts < {read_to:DateTime64(6, 'UTC')}
                AND (rcode = 5 OR rcode = 3 AND (notEmpty(categories) OR NOT ra)
                    OR rcode = 0 AND empty(addresses) AND notEmpty(categories))
        )
    GROUP BY site, server, bucket, real, plain
),

answered AS
(
    SELECT
        answers_site, answers_server,
        arrayJoin([-1, 0, 1]) * {slot_s:UInt32}
            + toUnixTimestamp(toStartOfInterval(bucket, toIntervalSecond({slot_s:UInt32}))) AS answers_slot,
        groupArray(tuple(bucket, names, earliest, latest, resolving, recursing, refused, missing, bare)) AS buckets
    FROM answers
    GROUP BY answers_site, answers_server, answers_slot
),

-- Resolvers that refused a client one name and answered it others, by slot and the slots around it.
answering AS
(
    SELECT DISTINCT site AS answering_site, client AS answering_client, server AS answering_resolver,
        arrayJoin([-1, 0, 1]) * {slot_s:UInt32}
            + toUnixTimestamp(toStartOfInterval(ts, toIntervalSecond({slot_s:UInt32}))) AS answering_slot
    FROM dns
    WHERE ts >= {read_from:DateTime64(6, 'UTC')} AND ts < {read_to:DateTime64(6, 'UTC')}
        AND rcode = 0
        AND (client, server) IN
        (
            SELECT client, server FROM dns
            WHERE ts >= {read_from:DateTime64(6, 'UTC')} AND ts < {read_to:DateTime64(6, 'UTC')} AND rcode = 5
        )
),

questions AS
(
    SELECT
        *,
        answering_slot != 0 AS others_answered,
        -- The resolver answered someone else's or another name before and after, soon enough to have been alive.
        arrayExists(b -> b.3 <= at AND b.3 >= at - toIntervalSecond({alive_s:UInt32})
            AND arrayExists(other -> other != name, b.2), buckets)
        AND arrayExists(b -> b.4 >= at AND b.4 <= at + toIntervalSecond({alive_s:UInt32})
            AND arrayExists(other -> other != name, b.2), buckets) AS alive,
        arrayFilter(b -> b.1 BETWEEN at - toIntervalSecond({outage_s:UInt32}) AND at + toIntervalSecond({outage_s:UInt32}),
            buckets) AS near,
        arraySum(b -> b.5, near) AS near_resolving,
        arraySum(b -> b.7, near) AS near_refused,
        arraySum(b -> b.8, near) AS near_missing,
        arrayExists(b -> b.6 > 0, buckets) AS recursing,
        arrayExists(b -> b.9, buckets) AS baring
    FROM asked
    LEFT JOIN answering ON answering_site = site AND answering_client = client AND answering_resolver = resolver
        AND answering_slot = weak * toInt64(toUnixTimestamp(toStartOfInterval(at, toIntervalSecond({slot_s:UInt32}))))
    LEFT JOIN answered ON answers_site = site AND answers_server = resolver
        AND answers_slot = weak * toInt64(toUnixTimestamp(toStartOfInterval(at, toIntervalSecond({slot_s:UInt32}))))
),

connections AS
(
    SELECT
        site, client, server_name AS name, min(first) AS at, any(server) AS server, any(protocol) AS protocol,
        any(name_source) AS source,
        argMax((`group`, categories, service, action, clause, policy_version), start) AS latest, latest.1 AS `group`,
        latest.2 AS categories, latest.3 AS service, latest.4 AS action, latest.5 AS clause, latest.6 AS policy_version,
        groupBitOr(hello) AS hellos,
        sum(acked_down) AS acked, sum(bytes_down) AS down, sum(bytes_up) AS up,
        sum(payload_up) AS sent, sum(payload_down) AS given, sum(lost) AS missed,
        sum(packets_up) AS packets_out, sum(packets_down) AS packets_in, sum(retransmits_up) AS again,
        max(end) AS until, dateDiff('millisecond', min(first), until) AS lasted_ms,
        max(reset_by = 'server') AS reset, max(bitAnd(flags_up, 4) != 0) AS reset_too,
        max(bitAnd(flags_down, 1) != 0) AS finished,
        max(state = 'REJ') AS rejected,
        max(abs(reset_ttl_delta)) AS reset_delta, min(reset_us) AS reset_after, max(rtt_us) AS round_trip,
        max(tls_version) AS version,
        max(ttl_down_max) - min(ttl_down_min) AS ttl_range,
        lower(max(certificate)) AS subject, lower(max(issuer)) AS signer,
        max(http_method = 'CONNECT') AS proxied,
        max(ifNull(http_status, 0)) AS replied,
        -- A proxy's answer to CONNECT says that the tunnel is open, not what came through it.
        proxied AND (source = 'sni' OR replied BETWEEN 200 AND 299) AS tunnelled,
        max(http_method != '') AND NOT tunnelled AS requested,
        cityHash64(sensor, flow_id) AS tie,
        if(tunnelled, 0, replied) AS status, if(tunnelled, '', max(http_location)) AS location,
        toJSONString(CAST(tuple(min(first), client, any(client_port), any(server), any(server_port), any(application),
            server_name, any(name_source), argMax(state, start), sensor, flow_id),
            'Tuple(ts DateTime64(6, ''UTC''), client IPv6, port UInt16, server IPv6, server_port UInt16, application String, server_name String, name_source String, state String, sensor String, flow_id UInt64)')) AS sample
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
            -- By their hash: few of millions of names are among these, and a key of texts is dear to make.
            OR cityHash64(site, client, server_name) IN
            (
                SELECT cityHash64(site, client, qname) FROM dns
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
        if(protocol = 6, if(client BETWEEN first4 AND last4, 'tcp4', 'tcp6'),
            if(client BETWEEN first4 AND last4, 'quic4', 'quic6')) AS path,
        has({block_issuers:Array(String)}, signer) AS resigned,
        -- Nothing of the server reached the client: what it acknowledges tells, whatever the mirror lost.
        acked = 0 OR tunnelled AS unacknowledged,
        -- The client's system resets what comes for a connection that a forged reset ended.
        reset AND reset_too AND given > 0 AND acked = 0 AND bitAnd(hellos, 1) = 1 AND NOT tunnelled AS overtaken,
        arrayFilter(word -> word != '', [
            multiIf(
                status = 511 OR location != '' AND arrayExists(
                    host -> location = host OR endsWith(location, concat('.', host)), {block_hosts:Array(String)}),
                'http_block_page',
                has(sinkholes, server), if(requested, 'http_block_page', 'dns_sinkhole'),
                proxied AND status IN (403, 451), 'proxy_refused',
                status IN (403, 451) AND {block_page_bytes:Float64} > 0
                    AND given >= {page_least:Float64} * {block_page_bytes:Float64}
                    AND given <= {block_page_bytes:Float64} + {page_margin:Float64}
                    AND hasAny({methods:Array(String)}, ['redirect', 'inspection']),
                'http_denied',
                subject != '' AND arrayExists(
                    host -> subject = host OR endsWith(subject, concat('.', host)), {block_hosts:Array(String)}),
                'tls_block_page',
                resigned AND {block_page_bytes:Float64} > 0 AND acked > 0 AND acked <= bound
                    AND given >= {page_least:Float64} * {block_page_bytes:Float64},
                'tls_page',
                -- Who signed is hidden in TLS 1.3.
                inspected AND version = '1.3' AND bitAnd(hellos, 3) = 3 AND {block_page_bytes:Float64} > 0
                    AND acked > 0 AND acked <= bound AND given >= {page_least:Float64} * {block_page_bytes:Float64},
                'tls_page',
                ''),
            if(protocol = 6 AND reset AND unacknowledged
                AND (bitAnd(hellos, 3) = 1 OR overtaken OR requested AND status = 0), 'reset', ''),
            if(protocol = 6 AND bitAnd(hellos, 7) = 5, 'alert', ''),
            if(protocol = 6 AND (hellos = 1 OR hellos = 0 AND requested AND status = 0) AND NOT reset
                AND given = 0 AND acked = 0 AND missed = 0 AND again >= {retransmissions:Float64}, 'silence', ''),
            if(protocol = 6 AND hellos = 1 AND NOT reset AND finished AND given = 0 AND acked = 0 AND missed = 0
                AND again < {retransmissions:Float64} AND lasted_ms < 1000 * {closed_s:Float64} AND NOT tunnelled,
                'closed', ''),
            if(protocol = 17 AND source = 'quic' AND packets_out >= 2 AND packets_in = 0
                AND lasted_ms >= 1000 * {quic_silence_s:Float64}, 'quic_silence', ''),
            if(protocol = 6 AND hellos = 0 AND sent = 0 AND given = 0,
                multiIf(rejected, 'syn_reset', packets_in = 0 AND packets_out >= {syns:Float64}, 'syn_silence', ''), '')
        ]) AS seen,
        -- Outside of the filter, a server that says nothing or no is the server.
        if({outside:Bool}, arrayFilter(word -> transform(word, {words:Array(String)}, {points:Array(UInt8)}, 0)
            >= {blocked_from:Float64}, seen), seen) AS marks,
        -- Only these ask what else the server did.
        hasAny(marks, ['reset', 'alert', 'closed', 'silence', 'quic_silence', 'proxy_refused']) AS weak,
        -- A server may send three times what it got before the client proved its address (RFC 9000, 8.1).
        down > 3 * up OR least(packets_out, packets_in) >= {quic_validated:Float64} AS validated,
        multiIf(
            hasAny(seen, ['http_block_page', 'http_denied', 'tls_block_page', 'tls_page', 'proxy_refused']) OR has(sinkholes, server), 0,
            hidden OR {outside:Bool} AND source = 'http' AND has({methods:Array(String)}, 'redirect'), 0,
            source = 'http' AND tunnelled, if(acked > bound, {delivered_http:UInt8}, 0),
            source = 'http' AND status >= 300 AND status < 400,
            if((location = '' OR location = name OR cutToFirstSignificantSubdomain(location)
                = cutToFirstSignificantSubdomain(name)) AND (NOT inspected OR acked > bound),
                {delivered_http:UInt8}, 0),
            source = 'http' AND status >= 200 AND status < 300,
            if(plain_filter OR acked > bound, {delivered_http:UInt8}, 0),
            -- An error of the site itself: not one that proxies or this filter make.
            source = 'http' AND plain_filter AND status >= 400 AND status NOT IN (407, 502, 503, 504)
                AND (status NOT IN (403, 451) OR NOT has({methods:Array(String)}, 'redirect')), {delivered_http:UInt8},
            source = 'http' OR status != 0, 0,
            (bitAnd(hellos, 3) = 3 OR source = 'sni' AND missed > 0) AND acked > bound, {delivered_tls:UInt8},
            source = 'quic' AND packets_out >= {quic_packets:Float64} AND down > bound
                AND (validated OR plain_filter AND NOT has({methods:Array(String)}, 'drop')), {delivered_quic:UInt8},
            plain_filter AND NOT resigned AND bitAnd(hellos, 3) = 3 AND NOT reset
                AND sent >= if(version IN ('1.0', '1.1', '1.2'), {small_payload_up_12:Float64}, {small_payload_up:Float64})
                AND acked >= {small_acked_down:Float64}, {delivered_small:UInt8},
            plain_filter AND source = 'quic' AND packets_out >= {quic_packets:Float64}
                AND packets_in >= {quic_packets:Float64} AND (validated OR NOT has({methods:Array(String)}, 'drop')),
            {delivered_small:UInt8},
            -- A client hello that the mirror lost may have said another name.
            source = 'dns' AND NOT {outside:Bool} AND sent > 0 AND missed = 0 AND if(protocol = 6, acked, down) > bound, {delivered_named_by_dns:UInt8},
            0) AS delivered
    FROM connections
),

-- What servers served, and names on no list that they did not, by 10 s: what there is to tell a block of one name from
-- a server that is dead.
serving AS
(
    SELECT
        serving_site, serving_server, serving_protocol,
        arrayJoin([-1, 0, 1]) * {slot_s:UInt32}
            + toUnixTimestamp(toStartOfInterval(bucket, toIntervalSecond({slot_s:UInt32}))) AS serving_slot,
        groupArray(tuple(begun, ended, earliest, latest, one_name, other_name, served_names, failed_names, least_rtt)) AS buckets
    FROM
    (
        SELECT
            site AS serving_site, server AS serving_server, protocol AS serving_protocol,
            toStartOfInterval(first, toIntervalSecond(10)) AS bucket,
            bitAnd(hello, 3) = 3 AND acked_down > 0
                OR protocol = 17 AND application = 'quic' AND packets_down >= {quic_packets:Float64}
                OR ifNull(http_status, 0) BETWEEN 200 AND 399 AS served,
            min(first) AS begun, max(first) AS ended, minIf(first, served) AS earliest, maxIf(first, served) AS latest,
            minIf(server_name, served) AS one_name, maxIf(server_name, served) AS other_name,
            uniqExactIf(server_name, served) AS served_names, uniqExactIf(server_name, NOT served) AS failed_names,
            min(rtt_us) AS least_rtt
        FROM flows
        WHERE start >= {read_from:DateTime64(6, 'UTC')} AND start < {read_to:DateTime64(6, 'UTC')}
            AND server_name != ''
            AND (served OR empty(categories) AND action NOT IN ('prohibit', 'limit') AND payload_down = 0)
            AND server IN
            (
                SELECT server FROM flows
                WHERE start >= {read_from:DateTime64(6, 'UTC')} AND start < {read_to:DateTime64(6, 'UTC')}
                    AND (notEmpty(categories) OR action IN ('prohibit', 'limit')) AND server_name != ''
                    AND (reset_by = 'server' OR bitAnd(hello, 7) = 5 OR payload_down = 0
                        OR http_method = 'CONNECT' AND http_status IN (403, 451))
            )
        GROUP BY site, server, protocol, bucket, served
    )
    GROUP BY serving_site, serving_server, serving_protocol, serving_slot
),

flows_reached AS
(
    SELECT
        *,
        arrayFilter(b -> b.2 >= at - toIntervalSecond({alive_s:UInt32})
            AND b.1 <= until + toIntervalSecond({alive_s:UInt32}), buckets) AS near,
        -- Of two names that are not the same, one is another.
        arrayFilter(b -> b.7 > 0 AND (b.5 != name OR b.6 != name), near) AS alive_near,
        arrayExists(b -> b.3 <= at, alive_near) AND arrayExists(b -> b.4 >= at, alive_near)
        AND arraySum(b -> b.7, alive_near) > arraySum(b -> b.8, near) AS alive,
        nullIf(arrayMin(arrayPushBack(arrayMap(b -> ifNull(b.9, 4294967295), near), ifNull(round_trip, 4294967295))),
            4294967295) AS far,
        -- It came sooner than the server could have sent it.
        has(marks, 'reset') AND ifNull(reset_after < {near_us:Float64} AND reset_after * {near_times:Float64} < far, false)
            -- A site that is no further than the filter: the page is the filter's, or came through it.
            OR has(marks, 'http_denied') AND ifNull(round_trip < {near_us:Float64}, false) AS nearer
    FROM reached
    LEFT JOIN serving ON serving_site = site AND serving_server = server AND serving_protocol = protocol
        AND serving_slot = weak * toInt64(toUnixTimestamp(toStartOfInterval(at, toIntervalSecond({slot_s:UInt32}))))
),

events AS
(
    SELECT
        site, client, name, at, `group`, categories, service,
        action, clause, policy_version, 1 AS dns, 0 AS tcp, 0 AS quic, 0 AS down, real, path,
        multiIf(empty({resolvers:Array(IPv6)}), 'unknown', has({resolvers:Array(IPv6)}, resolver), 'declared', 'other')
            AS resolver,
        -- What the resolver does with every name says nothing of this one.
        arrayMap(word -> multiIf(word = 'dns_nxdomain_ra0' AND notEmpty(buckets) AND NOT recursing, 'dns_nxdomain',
            word = 'dns_nxdomain_bare' AND baring AND NOT own_word, 'dns_nxdomain',
            word = 'dns_nodata_bare' AND baring AND NOT own_word, 'dns_nodata', word),
            arrayFilter(word -> NOT (word = 'dns_ede' AND shut AND NOT others_answered), signs)) AS words,
        if({outside:Bool}, arrayFilter(word -> transform(word, {words:Array(String)}, {points:Array(UInt8)}, 0)
            >= {blocked_from:Float64}, words), words) AS marks,
        -- Marks that others may corroborate; a resolver that fails with every name is an outage.
        arrayFilter(word -> multiIf(
            word = 'dns_refused', alive AND others_answered AND NOT (near_refused >= {outage_names:Float64}
                AND near_refused > {outage_times:Float64} * near_resolving),
            word IN ('dns_nxdomain', 'dns_nxdomain_ra0', 'dns_nxdomain_bare'), alive AND NOT (near_missing >= {outage_names:Float64}
                AND near_missing > {outage_times:Float64} * near_resolving),
            word IN ('dns_nodata', 'dns_nodata_bare'), alive,
            -- The servers of a name that are dead let the resolver be silent, too.
            word != 'dns_silence'), marks) AS grounded,
        emptyArrayString() AS corroborators, 0 AS own, 0 AS delivered, 0 AS unclear, tie, sample
    FROM questions
    UNION ALL
    SELECT
        site, client, name, at, `group`, categories, service, action, clause, policy_version,
        0 AS dns, protocol = 6 AS tcp, protocol = 17 AS quic, down, 0 AS real, path, '' AS resolver,
        seen AS words, marks, arrayFilter(word -> word NOT IN ('syn_reset', 'syn_silence'), marks) AS grounded,
        arrayFilter(word -> word != '', [
            if(has(marks, 'reset') AND ifNull(reset_delta, 0) >= {ttl_delta:Float64}
                OR hasAny(marks, ['alert', 'closed']) AND ifNull(ttl_range, 0) >= {ttl_delta:Float64}, 'ttl', ''),
            if(has(marks, 'reset') AND overtaken, 'data', ''),
            if(nearer, 'near', ''),
            if(alive AND (hasAny(marks, ['reset', 'alert', 'closed', 'silence', 'quic_silence']) AND NOT tunnelled
                OR has(marks, 'proxy_refused')), 'server', '')
        ]) AS corroborators,
        -- Nothing seen shows that it came from elsewhere than the server.
        hasAny(marks, ['reset', 'alert', 'closed']) AND NOT hasAny(corroborators, ['ttl', 'data', 'near']) AS own,
        delivered,
        -- The server gave something, too little to tell what: 2 where the mirror lost some of it.
        if(empty(marks) AND delivered = 0 AND acked > 0, if(missed > 0, 2, 1), 0) AS unclear, tie, sample
    FROM flows_reached
),

-- IPv4 address of the interface that an IPv6 address is on, by slot: one host tries both families.
links AS
(
    SELECT
        site AS link_site, client_mac, toStartOfInterval(start, toIntervalSecond({slot_s:UInt32})) AS link_slot,
        groupUniqArray(10)(client) AS clients
    FROM flows
    WHERE start >= {read_from:DateTime64(6, 'UTC')} AND start < {read_to:DateTime64(6, 'UTC')}
        AND client_mac != 0 AND client_mac NOT IN {router_macs:Array(UInt64)}
        AND client_mac IN
        (
            SELECT client_mac FROM flows
            WHERE start >= {read_from:DateTime64(6, 'UTC')} AND start < {read_to:DateTime64(6, 'UTC')}
                AND NOT client BETWEEN first4 AND last4
                AND (application = 'dns' OR server_name != '' AND (notEmpty(categories) OR action IN ('prohibit', 'limit')))
        )
    GROUP BY site, client_mac, link_slot
),

hosts AS
(
    SELECT host_site, host_client, host_slot, min(fours[1]) AS host
    FROM
    (
        SELECT
            link_site AS host_site,
            arrayJoin([-1, 0, 1]) * {slot_s:UInt32} + toUnixTimestamp(link_slot) AS host_slot,
            groupUniqArrayArray(10)(clients) AS addresses,
            arrayFilter(a -> a BETWEEN first4 AND last4, addresses) AS fours
        FROM links
        GROUP BY link_site, client_mac, host_slot
        -- A MAC before many addresses is a router's.
        HAVING length(addresses) <= {host_addresses:Float64} AND length(fours) = 1
    )
    ARRAY JOIN arrayFilter(a -> NOT a BETWEEN first4 AND last4, addresses) AS host_client
    GROUP BY host_site, host_client, host_slot
),

spaced AS
(
    SELECT
        *,
        if(host = toIPv6('::'), client, host) AS machine,
        lagInFrame(at, 1, never) OVER (PARTITION BY site, machine, name ORDER BY at
            ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
    FROM events
    LEFT JOIN hosts ON host_site = site AND host_client = client
        AND host_slot = toInt64(toUnixTimestamp(toStartOfInterval(at, toIntervalSecond({slot_s:UInt32}))))
),

placed AS
(
    SELECT
        *,
        max(if(at > before + toIntervalSecond({gap_s:UInt32}), at, never)) OVER (PARTITION BY site, machine, name
            ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS opened,
        toDateTime64(toStartOfInterval(at, toIntervalSecond({slot_s:UInt32})), 6, 'UTC') AS slot,
        -- What never pauses is cut at the multiples of a slot, once it has filled a slot.
        if(slot - toIntervalSecond({slot_s:UInt32}) >= opened, slot, opened) AS window_start
    FROM spaced
),

joined AS
(
    SELECT
        site, name, window_start,
        -- A host of both families goes by its IPv4 address, where that took part.
        if(countIf(client = machine) > 0, machine, min(client)) AS host,
        toInt64(toUnixTimestamp(toStartOfInterval(window_start, toIntervalSecond({slot_s:UInt32})))) AS period,
        min(at) AS first, max(at) AS last,
        argMax((`group`, policy_version), (at, tie)) AS latest, latest.1 AS `group`, latest.2 AS policy_version,
        arraySort(groupUniqArrayArray(categories)) AS categories,
        argMax(service, (service != '', at, tie)) AS service,
        argMax((action, clause), (action = 'prohibit', action = 'limit', at, tie)) AS strictest,
        strictest.1 AS action, strictest.2 AS clause,
        sum(dns) AS dns, sum(tcp) AS tcp, sum(quic) AS quic, sum(down) AS bytes_down,
        max(real) AS resolved, max(delivered) AS delivery, max(unclear) AS unclear,
        maxIf(resolver, dns = 1) AS asked_of,
        -- Having no address of one family says nothing where the other has one.
        arraySort(arrayFilter(word -> NOT (resolved AND word IN ('dns_nxdomain', 'dns_nxdomain_ra0',
            'dns_nxdomain_bare', 'dns_nodata', 'dns_nodata_bare', 'dns_silence')), groupUniqArrayArray(marks))) AS marks,
        arraySort(groupUniqArrayArray(grounded)) AS grounded,
        countIf(dns = 0 AND notEmpty(grounded)) > 0 AS met,
        countIf(own = 1) > 0 AND countIf(own = 0 AND hasAny(marks, ['reset', 'alert', 'closed'])) = 0 AS own,
        arraySort(groupUniqArrayIf(path, notEmpty(marks) AND path != '')) AS blocked_over,
        arraySort(groupUniqArrayIf(path, delivered > 0)) AS delivered_over,
        arraySort(groupUniqArrayArray(corroborators)) AS seen_corroborators,
        groupArraySorted(10)(sample) AS samples
    FROM placed
    GROUP BY site, machine, name, window_start
),

around AS
(
    SELECT
        *,
        uniqExactIf(host, hasAny(marks, grounded) AND delivery = 0) OVER (PARTITION BY site, name ORDER BY period
            RANGE BETWEEN {slot_s:UInt32} PRECEDING AND {slot_s:UInt32} FOLLOWING) AS failing,
        min(if(resolved AND window_start >= {emit_from:DateTime64(6, 'UTC')}, window_start, later))
            OVER (PARTITION BY site, name) AS resolved_here,
        -- A whole answer said, to anyone, that the name does not exist: here, or before.
        max(hasAny(marks, ['dns_nxdomain', 'dns_nodata'])) OVER (PARTITION BY site, name ORDER BY period
            RANGE BETWEEN {slot_s:UInt32} PRECEDING AND {slot_s:UInt32} FOLLOWING) AS missing_around,
        min(if(hasAny(marks, ['dns_nxdomain', 'dns_nodata']) AND window_start >= {emit_from:DateTime64(6, 'UTC')},
            window_start, later)) OVER (PARTITION BY site, name) AS missing_here,
        -- Starts of the host's attempts at the name.
        groupArray(toFloat64(window_start)) OVER (PARTITION BY site, host, name ORDER BY window_start
            ROWS BETWEEN {beats:UInt32} PRECEDING AND CURRENT ROW) AS near_starts
    FROM joined
),

-- Names that resolved in the days before, and names of which a whole answer said that they do not exist.
resolving AS
(
    SELECT site AS resolving_site, name AS resolving_name, max(resolved) AS resolved_before,
        max(hasAny(evidence, ['dns_nxdomain', 'dns_nodata'])) AS missing_before
    FROM attempts FINAL
    WHERE toStartOfHour(window_start)
            >= toStartOfHour({emit_from:DateTime64(6, 'UTC')} - toIntervalDay({resolved_days:UInt32}))
        AND window_start >= {emit_from:DateTime64(6, 'UTC')} - toIntervalDay({resolved_days:UInt32})
        AND window_start < {emit_from:DateTime64(6, 'UTC')}
        AND (resolved OR hasAny(evidence, ['dns_nxdomain', 'dns_nodata']))
    GROUP BY site, name
),

-- When a client tried a name in the hours before.
earlier AS
(
    SELECT site AS earlier_site, client AS earlier_client, name AS earlier_name,
        groupArraySorted(64)(-toFloat64(window_start)) AS earlier_starts
    FROM attempts FINAL
    WHERE toStartOfHour(window_start) >= toStartOfHour({emit_from:DateTime64(6, 'UTC')} - toIntervalSecond({history_s:UInt32}))
        AND window_start >= {emit_from:DateTime64(6, 'UTC')} - toIntervalSecond({history_s:UInt32})
        AND window_start < {emit_from:DateTime64(6, 'UTC')}
    GROUP BY site, client, name
),

emitted AS
(
    SELECT
        *,
        host AS client,
        arrayFilter(start -> start >= toFloat64({emit_from:DateTime64(6, 'UTC')}), near_starts) AS starts,
        -- What fails in this way is what policy prohibits, and nothing else.
        concat(site, '/', toString(period), '/') AS place,
        if(service != '', service, cutToFirstSignificantSubdomain(name)) AS unit,
        arrayFilter(word -> has({selective_words:Array(String)}, replaceOne(word, '_bare', ''))
            AND transform(concat(place, word, '/', unit), {selective_keys:Array(String)},
                arrayMap(key -> 1, {selective_keys:Array(String)}), 0) = 1, if(action = 'prohibit', marks, [])) AS chosen
    FROM around
    WHERE window_start >= {emit_from:DateTime64(6, 'UTC')} AND window_start < {emit_to:DateTime64(6, 'UTC')}
),

ranked AS
(
    SELECT
        *,
        -- Of equals, what does not rest on absence.
        arrayReverseSort(
            word -> (has(grounded, word) OR has(chosen, word),
                greatest(transform(word, {words:Array(String)}, {points:Array(UInt8)}, 0),
                    if(has(chosen, word), {blocked_from:Float64}, 0)),
                NOT has({absence_words:Array(String)}, word), word), marks)[1] AS mechanism
    FROM emitted
),

corroborated AS
(
    SELECT
        *,
        transform(mechanism, {words:Array(String)}, {points:Array(UInt8)}, 0) AS strongest,
        -- A resolver may leave the zone out of what it remembers of a name that does not exist.
        if(NOT has(grounded, mechanism) OR endsWith(mechanism, '_bare') AND (missing_before = 1
            OR missing_around = 1 OR missing_here < window_start), emptyArrayString(), arraySort(arrayConcat(
            seen_corroborators,
            -- What the server itself refuses, it refuses every client; a filter that inspects stands in its place.
            if(failing >= 2 AND mechanism NOT IN ('http_denied', 'tls_page') AND NOT (mechanism IN ('reset', 'alert', 'closed') AND own AND NOT inspected),
                ['clients'], emptyArrayString()),
            if(has({dns_words:Array(String)}, mechanism)
                AND (resolved_before = 1 OR resolved_here < window_start), ['resolved'], emptyArrayString())
        ))) AS adding,
        has(chosen, mechanism) AS selective,
        arraySort(arrayConcat(adding, if(selective, ['selective'], emptyArrayString()))) AS corroborators,
        if(has({loss_keys:Array(String)}, concat(site, '/', toString(period))),
            transform(concat(site, '/', toString(period)), {loss_keys:Array(String)}, {loss_shares:Array(Float64)}, 0.),
            NULL) AS loss
    FROM ranked
    LEFT JOIN resolving ON resolving_site = site AND resolving_name = name
    LEFT JOIN earlier ON earlier_site = site AND earlier_client = client AND earlier_name = name
),

scored AS
(
    SELECT
        *,
        greatest(
            if(strongest = 0, 0, least({most:Float64}, strongest + {corroborator:Float64} * length(adding))),
            if(selective, {blocked_from:Float64}, 0)) AS score,
        ifNull(loss > {loss_bound:Float64}, true) AS unsure,
        score >= {blocked_from:Float64} AND NOT (has({absence_words:Array(String)}, mechanism) AND unsure) AS stopped,
        if(delivery = {delivered_named_by_dns:UInt8} AND unsure, 0, delivery) AS reached,
        -- One answer blocked the name, another gave its address, and where the client went was not seen.
        resolved AND NOT met AND has({dns_words:Array(String)}, mechanism) AS open,
        arraySlice(arrayConcat(arrayReverse(starts), arrayMap(t -> -t, earlier_starts)), 1, {beats:UInt32} + 1) AS times,
        arrayMap((later, sooner) -> later - sooner, arrayPopBack(times), arrayPopFront(times)) AS gaps,
        length(gaps) >= {beats:Float64} AND arrayMax(gaps) - arrayMin(gaps) <= {jitter:Float64} * arrayAvg(gaps) AS regular,
        cutToFirstSignificantSubdomain(name) AS domain,
        splitByRegexp('[.-]', if(domain = '' OR domain = name, '', substring(name, 1, length(name) - length(domain) - 1))) AS labels
    FROM corroborated
),

judged AS
(
    SELECT
        *,
        multiIf(
            reached > 0 AND stopped, 'partial',
            reached > 0, 'allowed',
            stopped AND NOT open AND delivery = 0 AND unclear < if(unsure, 1, 2), 'blocked',
            'inconclusive') AS verdict,
        hasAny(categories, {embedded_categories:Array(String)}) AND dns = 0 AND verdict != 'blocked'
            AND bytes_down < {embedded_bytes:Float64} AS widget
    FROM scored
),

attempted AS
(
    SELECT
        site, client, `group`, name, window_start, first, last, categories, service, action, clause, policy_version,
        verdict, mechanism,
        toUInt8(multiIf(verdict = 'partial', least(reached, score), verdict = 'allowed', reached, score))
            AS confidence,
        corroborators,
        arrayConcat(marks, if(reached > 0, ['delivered'], emptyArrayString())) AS evidence,
        if(notEmpty(marks), blocked_over, emptyArrayString()) AS blocked_over,
        if(reached > 0, delivered_over, emptyArrayString()) AS delivered_over,
        toUInt64(bytes_down) AS bytes_down, toUInt32(dns) AS dns, toUInt32(tcp) AS tcp, toUInt32(quic) AS quic,
        toBool(resolved) AS resolved,
        if(dns = 0, 'none', asked_of) AS resolver,
        toBool(widget) AS embedded,
        multiIf(
            bytes_down >= {embedded_bytes:Float64}, if(hasAny(labels, {background_labels:Array(String)}), 'unknown', 'user'),
            regular OR hasAny(labels, {background_labels:Array(String)}), 'background',
            NOT widget AND dns > 0 AND hasAny({visited_labels:Array(String)}, arraySlice(labels, 1, 1)) AND length(labels) = 1,
            'user',
            'unknown') AS initiated,
        loss, samples
    FROM judged
)

SELECT
    *,
    cityHash64(tuple(`group`, first, last, categories, service, action, clause, policy_version, verdict, mechanism,
        confidence, corroborators, evidence, blocked_over, delivered_over, bytes_down, dns, tcp, quic, resolved,
        resolver, embedded, initiated, loss, samples)) AS content
FROM attempted
SETTINGS enable_named_columns_in_function_tuple = 1, prefer_column_name_to_alias = 1,
    -- Two rewritings of conditions that change nothing here, and take a third of the analysis.
    optimize_and_compare_chain = 0, optimize_extract_common_expressions = 0
