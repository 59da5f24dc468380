-- Which of these batches are in the store, and which parts of them.
SELECT sensor, boot, sequence, max(parts) AS of, groupUniqArray(part) AS known
FROM batches
WHERE (sensor, boot, sequence) IN
(
    SELECT * FROM (SELECT arrayJoin(arrayZip({sensors:Array(String)}, {boots:Array(String)}, {sequences:Array(UInt64)})) AS name)
)
GROUP BY sensor, boot, sequence
