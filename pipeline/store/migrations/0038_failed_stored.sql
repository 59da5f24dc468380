-- `failed` and `hollow` (0024) are kept with each row: a byte each that packs to 0.3 at most, where a question read ten
-- columns to make them. Rows stored before get theirs here: to make them at each look would cost two to three times the
-- aliases.
-- Without a byte of payload: all bytes are framing (0033).

ALTER TABLE flows MODIFY COLUMN failed Bool MATERIALIZED
    packets_up > 0 AND multiIf(
        protocol = 6, state IN ('S0', 'REJ', 'RSTOS0', 'SH') AND bitAnd(flags_up, 18) = 2,
        protocol = 17, state = 'S0',
        protocol = 1, packets_down = 0 AND client_port IN (8, 13, 15, 17),
        protocol = 58, packets_down = 0 AND client_port = 128,
        false);
ALTER TABLE flows MODIFY COLUMN hollow Bool MATERIALIZED
    protocol = 6 AND packets_down > 0 AND bytes_up = framing_up AND bytes_down = framing_down AND bitAnd(flags_up, 2) = 2
    AND state IN ('SF', 'RSTO', 'RSTR', 'S2', 'S3');

ALTER TABLE flows MATERIALIZE COLUMN failed, MATERIALIZE COLUMN hollow SETTINGS mutations_sync = 2;
