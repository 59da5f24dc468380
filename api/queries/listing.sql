SELECT /*select*/
FROM /*source*/
WHERE /*time*/ < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
  AND /*until*/ /*until_compare*/ fromUnixTimestamp64Micro({first:Int64}, 'UTC')
  AND /*hours*/
  AND (/*filters*/)
  AND /*place*/
/*tail*/
