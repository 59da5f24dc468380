"""The doctor's look at the store: who answers, and in a cluster whether every server and replica is there."""

from collections.abc import Iterator
from typing import Any

from pipeline.settings import Settings
from pipeline.store.client import Store, embedded, open_store
from pipeline.store.cluster import local
from spanwatch.check import FAIL, OK, WARN, Check, failed

#: Seconds behind its shard from which on a replica is late. Our default.
LATE_S = 300
SERVERS = "SELECT count() AS servers FROM system.clusters WHERE cluster = {cluster:String}"
REPLICAS = """
SELECT uniqExact(host) AS servers, max(late) AS late, sum(readonly) AS readonly
FROM
(
    SELECT hostName() AS host, 0 AS late, 0 AS readonly FROM clusterAllReplicas({cluster:String}, system.one)
    UNION ALL
    SELECT hostName(), absolute_delay, is_readonly FROM clusterAllReplicas({cluster:String}, system.replicas)
    WHERE database = {database:String}
)
SETTINGS skip_unavailable_shards = 1
"""


def check_store(settings: Settings) -> Iterator[Check]:
    """What the store says; a failure with its mend where it says nothing."""
    try:
        with open_store(settings) as store:
            version = store.rows("SELECT version() AS version")[0]["version"]
            batches = store.rows("SELECT countIf(part = 0) AS batches FROM batches")[0]["batches"]
            where = "in the process" if embedded(store.dsn) else f"by {store.dsn.partition(':')[0]}"
            yield Check("store", OK, f"ClickHouse {version} {where}, {batches:,} batches")
            if store.cluster:
                yield _cluster(store)
    except (OSError, ValueError) as error:
        found = failed("store", error)
        yield found if found.mend else found._replace(mend="look at the server's own log")


def _cluster(store: Store) -> Check:
    asked: dict[str, Any] = {"cluster": store.cluster, "database": local(store.database)}
    wanted = store.rows(SERVERS, asked)[0]["servers"]
    found = store.rows(REPLICAS, asked)[0]
    if found["servers"] < wanted:
        text = f"{found['servers']} of {wanted} servers of {store.cluster} answer"
        return Check("cluster", FAIL, text, "start the others; their replicas serve meanwhile")
    if found["readonly"]:
        text = f"{found['readonly']} replicas of tables take no rows"
        return Check("cluster", FAIL, text, "start the keepers, or look at system.replicas on that server")
    if found["late"] > LATE_S:
        text = f"a replica is {found['late']} s behind"
        return Check("cluster", WARN, text, "look at system.replication_queue; disk or network may be slow")
    return Check("cluster", OK, f"all {wanted} servers of {store.cluster} answer")
