-- How much of the traffic had a name; what had none stays in the denominator.
SELECT
    sum(bytes_up + bytes_down) AS total,
    sumIf(bytes_up + bytes_down, name_source != 'none') AS named,
    sumIf(bytes_up + bytes_down, service != '' OR category != '') AS classified,
    sumIf(bytes_up + bytes_down, application = '') AS unrecognised
FROM /*traffic*/
