SELECT
    /*columns*/
    sum(t.bytes_up) AS bytes_up, sum(t.bytes_down) AS bytes_down,
    sum(t.packets_up) AS packets_up, sum(t.packets_down) AS packets_down, sum(t.flows) AS flows
FROM /*table*/ AS t
WHERE (/*times*/)
  AND (/*filters*/)
/*groups*/
