-- A part below 128 MiB is kept as one file of data, not two a column: an insert then waits for a few
-- fsyncs instead of a hundred, and a capture spread over many months makes few files.

ALTER TABLE flows MODIFY SETTING min_bytes_for_wide_part = 134217728;
ALTER TABLE dns MODIFY SETTING min_bytes_for_wide_part = 134217728;
ALTER TABLE sightings MODIFY SETTING min_bytes_for_wide_part = 134217728;
ALTER TABLE health MODIFY SETTING min_bytes_for_wide_part = 134217728;
ALTER TABLE traffic_1m MODIFY SETTING min_bytes_for_wide_part = 134217728;
