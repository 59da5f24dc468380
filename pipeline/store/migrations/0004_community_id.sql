-- Community ID version 1, seed 0 (github.com/corelight/community-id-spec): base64 of the SHA-1 over
-- seed, lower end point, higher end point, protocol and padding, ports. For ICMP the type and its
-- counterpart stand for the ports; a type without a counterpart keeps its direction and its code.
-- a, b: addresses; p, q: ports, big-endian; paired: the end points may change places.

ALTER TABLE flows ADD COLUMN IF NOT EXISTS community_id String ALIAS
    '1:' || base64Encode(SHA1(arrayMap(
        (a, b, p, q, paired) -> concat(
            char(0, 0),
            if(paired AND (a, p) > (b, q), concat(b, a), concat(a, b)),
            char(protocol, 0),
            multiIf(
                protocol NOT IN (1, 6, 17, 58, 132), '',
                paired AND (a, p) > (b, q), concat(q, p),
                concat(p, q)
            )
        ),
        [substring(reinterpret(client, 'FixedString(16)'), if(isIPAddressInRange(toString(client), '::ffff:0:0/96'), 13, 1))],
        [substring(reinterpret(server, 'FixedString(16)'), if(isIPAddressInRange(toString(server), '::ffff:0:0/96'), 13, 1))],
        [char(bitShiftRight(client_port, 8), client_port % 256)],
        [multiIf(
            protocol = 1, char(0, transform(client_port, [8, 0, 13, 14, 15, 16, 17, 18, 9, 10], [0, 8, 14, 13, 16, 15, 18, 17, 10, 9], server_port)),
            protocol = 58, char(0, transform(client_port, [128, 129, 133, 134, 135, 136, 130, 131, 139, 140, 144, 145], [129, 128, 134, 133, 136, 135, 131, 130, 140, 139, 145, 144], server_port)),
            char(bitShiftRight(server_port, 8), server_port % 256)
        )],
        [multiIf(
            protocol = 1, client_port IN (8, 0, 13, 14, 15, 16, 17, 18, 9, 10),
            protocol = 58, client_port IN (128, 129, 133, 134, 135, 136, 130, 131, 139, 140, 144, 145),
            true
        )]
    )[1]));
