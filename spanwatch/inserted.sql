-- Which of these batches are in the store.
SELECT DISTINCT sensor, boot, sequence
FROM batches
WHERE (sensor, boot, sequence) IN
(
    SELECT * FROM (SELECT arrayJoin(arrayZip({sensors:Array(String)}, {boots:Array(String)}, {sequences:Array(UInt64)})) AS name)
)
