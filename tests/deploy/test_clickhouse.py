"""The settings of ClickHouse servers and keepers, read by the current engine as far as it takes them."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.client import Store
from tests.pipeline.stores import FOR_EVER

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "clickhouse"
FILES = sorted(FOLDER.rglob("*.xml"))
ENVIRONMENT = {
    "CLICKHOUSE_SHARD": "2", "CLICKHOUSE_REPLICA": "clickhouse-2-1", "CLICKHOUSE_CLUSTER_SECRET": "secret",
}  # fmt: skip
#: Reads the questions from standard input and answers them with what the settings made of the engine.
ASK = """
import json, sys, chdb
path, questions = sys.argv[1], json.load(sys.stdin)
engine = chdb.connect(f"{path}/data?config-file={path}/config.xml")
answers = [json.loads(engine.query(q, "JSONCompact").bytes())["data"] for q in questions]
print("answers" + json.dumps(answers))
"""


def answers(folder: Path, *questions: str) -> list[list[list[Any]]]:
    """What a process that has all files of config.d answers."""
    shutil.copytree(FOLDER / "config.d", folder / "config.d")
    cold = (FOLDER / "cold.xml").read_text("utf-8").replace("/srv/clickhouse-cold/", f"{folder}/cold/")
    (folder / "config.d" / "cold.xml").write_text(cold)
    (folder / "config.xml").write_text("<clickhouse/>")
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(folder)],
        input=json.dumps(questions), env=os.environ | ENVIRONMENT, cwd=folder,
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r"^answers(.*)$", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout[-2_000:] + done.stderr[-2_000:]
    return json.loads(found[1])


def test_the_engine_takes_them(tmp_path: Path) -> None:
    """Cluster, macros from the environment, bounds and storage are as the files say."""
    cluster, macros, settings, policies = answers(
        tmp_path,
        "SELECT shard_num, replica_num, host_name, port FROM system.clusters WHERE cluster = 'spanwatch'",
        "SELECT macro, substitution FROM system.macros ORDER BY macro",
        "SELECT name, value FROM system.server_settings WHERE changed",
        "SELECT volume_name, disks FROM system.storage_policies WHERE policy_name = 'tiered'",
    )
    assert cluster == [[s, r, f"clickhouse-{s}-{r}", 9000] for s in (1, 2) for r in (1, 2)]
    assert macros == [["replica", "clickhouse-2-1"], ["shard", "2"]]
    told = dict(settings)
    assert told["max_connections"] == "1024"
    assert told["max_server_memory_usage_to_ram_ratio"] == "0.8"
    assert told["mark_cache_size"] == str(1 << 30)
    assert told["interserver_http_host"] == "clickhouse-2-1"
    assert policies == [["default", ["default"]], ["cold", ["cold"]]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_what_servers_read(path: Path) -> None:
    """Each is XML with the root that ClickHouse asks for, and holds no password."""
    root = ET.parse(path).getroot()
    assert root.tag == "clickhouse"
    assert [element.tag for element in root.iter() if element.tag.startswith("password")] == []


def test_logs_of_the_server_stay_small() -> None:
    """Each log in a table is either off or ends, and files turn over below a container's little room."""
    root = ET.parse(FOLDER / "config.d" / "spanwatch.xml").getroot()
    logs = [element for element in root if element.tag.endswith("_log")]
    kept = [log for log in logs if log.get("remove") is None]
    assert [log.tag for log in kept] == ["query_log", "part_log"]
    for log in kept:
        assert log.findtext("ttl") == "event_date + INTERVAL 7 DAY DELETE"
        # Beside <engine> the server refuses <ttl> and <partition_by>.
        assert log.find("engine") is None
    for path in (FOLDER / "config.d" / "spanwatch.xml", FOLDER / "keeper.xml"):
        logger = ET.parse(path).getroot().find("logger")
        assert logger is not None
        files = 2 * (1 + int(logger.findtext("count") or 0))
        assert int((logger.findtext("size") or "").removesuffix("M")) * files <= 48


def test_rights_and_profiles_are_the_engines_own() -> None:
    """Every grant parses, and every setting of a profile is one that there is."""
    root = ET.parse(FOLDER / "users.d" / "spanwatch.xml").getroot()
    grants = [element.text or "" for element in root.iter("query")]
    profile = root.find("profiles/spanwatch")
    assert profile is not None
    with Store("chdb://:memory:/grants", FOR_EVER) as store:
        for grant in grants:
            assert store.rows("SELECT formatQuery({sql:String}) AS sql", {"sql": f"{grant} TO spanwatch"})
        known = {row["name"] for row in store.rows("SELECT name FROM system.settings")}
    assert {element.tag for element in profile} <= known
    assert {re.search(r" ON (\w+)\.", grant)[1] for grant in grants[:2]} == {"spanwatch", "spanwatch_local"}  # type: ignore[index]


def test_keepers_agree_with_the_servers() -> None:
    """The keepers' names and port are those that the servers ask."""
    keeper = ET.parse(FOLDER / "keeper.xml").getroot()
    cluster = ET.parse(FOLDER / "config.d" / "cluster.xml").getroot()
    port = keeper.findtext("keeper_server/tcp_port")
    names = [element.text for element in keeper.iter("hostname")]
    asked = [(node.findtext("host"), node.findtext("port")) for node in cluster.iter("node")]
    assert asked == [(name, port) for name in names]
