"""The compose file: every file, setting, port, secret and command that it names is there; nothing is open."""

import hashlib
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
import typer

from pipeline.settings import NOT_SETTINGS, Section, Settings, load_settings
from spanwatch import __version__
from spanwatch.cli import app
from tests.deploy.composed import DEPLOY, VARIABLE, compose, example, filled, mounts, secrets_of, services

OURS = [name for name, service in services().items() if service["image"].startswith("spanwatch-")]
LASTING = [name for name, service in services().items() if service.get("restart") == "unless-stopped"]


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
def test_compose_itself_accepts_it(tmp_path: Path) -> None:
    """Read by docker-compose against its schema, with the variables of the example."""
    (tmp_path / ".env").write_text("".join(f"{key}={value}\n" for key, value in example().items()))
    done = subprocess.run(
        ["docker-compose", "-f", DEPLOY / "compose.yaml", "--env-file", tmp_path / ".env", "config", "-q"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", services())
def test_mounted_files_exist(name: str) -> None:
    """A file of ours that is mounted is there and read-only; everything else is a declared volume."""
    for source, _, read_only in mounts(services()[name]):
        if source.startswith("."):
            assert (DEPLOY / source).exists(), source
            assert read_only, source
        else:
            assert source in compose()["volumes"], source


@pytest.mark.parametrize("name", services())
def test_images_are_pinned(name: str) -> None:
    """Every image has a version with three numbers at least; ours is the program's own."""
    image, _, tag = services()[name]["image"].partition(":")
    if image.startswith("spanwatch-"):
        assert tag == __version__
        assert services()[name]["build"]["target"] == image.removeprefix("spanwatch-")
    else:
        assert re.fullmatch(r"\d+\.\d+\.\d+(\.\d+)?(-[a-z]+)?", tag), tag


@pytest.mark.parametrize("name", services())
def test_nothing_is_left_open(name: str) -> None:
    """The root is read-only, no capability is kept but the one named, memory, CPU and logs have a bound."""
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == {"sensor": ["NET_RAW"], "caddy": ["NET_BIND_SERVICE"]}.get(name, [])
    assert service["security_opt"] == [f"no-new-privileges:{'false' if name == 'sensor' else 'true'}"]
    assert "privileged" not in service
    assert service.get("network_mode") == ("host" if name == "sensor" else None)
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("name", LASTING)
def test_what_runs_on_is_watched(name: str) -> None:
    """A service that stays up has a health check with an end, and time to stop."""
    service = services()[name]
    assert service["healthcheck"].keys() >= {"test", "interval", "timeout", "retries", "start_period"}
    assert "stop_grace_period" in service


def _settings_of(name: str) -> dict[str, str]:
    environment = services()[name].get("environment", {})
    return {key: filled(str(value)) for key, value in environment.items() if key.startswith("SPANWATCH_")}


@pytest.mark.parametrize("name", OURS)
def test_settings_are_known(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """File and environment of each container are settings that the program takes."""
    for key in list(os.environ):
        if key.startswith("SPANWATCH_") and key not in NOT_SETTINGS:
            monkeypatch.delenv(key)
    for key, value in _settings_of(name).items():
        monkeypatch.setenv(key, value)
    settings = load_settings(DEPLOY / "compose" / "spanwatch.toml", state=tmp_path)
    inside = {target for _, target, _ in mounts(services()[name])}
    secrets = {f"/run/secrets/{secret}" for secret in secrets_of(services()[name])}
    if "relay" in name or "worker" in name:
        assert {str(path) for path in _files(settings.stream.kafka)} <= secrets
    if "worker" in name or name == "api":
        assert {str(path) for path in _files(settings.store)} <= secrets
        assert {str(settings.policy), str(settings.lists)} <= inside


def _files(section: Section) -> list[Path]:
    return [value for _, value in section if isinstance(value, Path)]


@pytest.mark.parametrize("name", OURS)
def test_commands_exist(name: str) -> None:
    """What a container starts is a command of the program, with options that it has."""
    words = services()[name]["command"]
    command = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words[0]]  # type: ignore[attr-defined]
        words = words[1:]
    assert not hasattr(command, "commands")
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options


def test_state_is_a_volume_of_its_own() -> None:
    """No two processes that write share a state folder, but for the sensor's log and the relay."""
    states = {name: source for name in OURS for source, target, _ in mounts(services()[name])
              if target == "/var/lib/spanwatch"}  # fmt: skip
    assert states.pop("relay") == states["sensor"]
    assert len(set(states.values())) == len(states) == 4


def test_brokers_listen_where_they_are_asked() -> None:
    """Settings, health checks and published ports agree with the listeners of the brokers."""
    properties = dict(
        line.split("=", 1) for line in (DEPLOY / "kafka/server.properties").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    )  # fmt: skip
    ports = dict(re.findall(r"([A-Z]+)://:(\d+)", properties["listeners"]))
    settings = tomllib.loads((DEPLOY / "compose/spanwatch.toml").read_text("utf-8"))
    brokers = [f"{name}:{ports['INSIDE']}" for name in services() if re.fullmatch(r"kafka-\d", name)]
    assert settings["stream"]["kafka"]["brokers"] == brokers
    assert services()["kafka-rights"]["environment"]["KAFKA_BOOTSTRAP"].split(",") == brokers
    voters = re.findall(r"(\d)@(kafka-\d):(\d+)", properties["controller.quorum.voters"])
    assert voters == [(str(n), f"kafka-{n}", ports["CONTROLLER"]) for n in (1, 2, 3)]
    for number in (1, 2, 3):
        service = services()[f"kafka-{number}"]
        outside = service["environment"]["KAFKA_OUTSIDE"].rpartition(":")[2]
        assert service["ports"] == [f"{outside}:{ports['OUTSIDE']}"]
        assert service["environment"]["KAFKA_NODE"] == str(number)
        assert f"/127.0.0.1/{ports['INSIDE']}" in service["healthcheck"]["test"][-1]
        assert f"kafka-{number}.pem" in secrets_of(service)
    start = (DEPLOY / "kafka/start.sh").read_text("utf-8")
    assert f":{ports['INSIDE']},OUTSIDE://" in start


def test_pages_are_reached_through_caddy_alone() -> None:
    """Caddy's address of the API is the one that it listens on and is checked at; only Caddy has ports."""
    api, caddy = services()["api"], services()["caddy"]
    host, port = caddy["environment"]["SPANWATCH_API"].split(":")
    assert host == "api"
    assert api["command"][-2:] == ["--port", port]
    assert f"127.0.0.1:{port}/" in api["healthcheck"]["test"][-1]
    published = {name for name, service in services().items() if "ports" in service}
    assert published == {"caddy", "kafka-1", "kafka-2", "kafka-3"}
    text = (DEPLOY / "Caddyfile").read_text("utf-8")
    named = set(re.findall(r"\{\$([A-Z_]+)", text))
    assert named == {key for key in caddy["environment"] if key.startswith("SPANWATCH_")}
    assert urlsplit(caddy["healthcheck"]["test"][-1]).netloc in text


def test_the_store_is_reached_by_its_alias() -> None:
    """The name in the settings is one of all servers in the network that worker and API are in."""
    settings = tomllib.loads((DEPLOY / "compose/spanwatch.toml").read_text("utf-8"))
    host = urlsplit(settings["store"]["dsn"]).hostname
    servers = [service for name, service in services().items() if re.fullmatch(r"clickhouse-\d-\d", name)]
    assert len(servers) == 4
    assert all(server["networks"]["store"]["aliases"] == [host] for server in servers)
    for name in ("worker-1", "worker-2", "api"):
        assert "store" in services()[name]["networks"]
    places = {(s["environment"]["CLICKHOUSE_SHARD"], s["environment"]["CLICKHOUSE_REPLICA"]) for s in servers}
    assert len(places) == 4
    assert {shard for shard, _ in places} == {"1", "2"}


def test_variables_are_in_the_example() -> None:
    """Whoever fills in the example has said all that the file asks for."""
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    assert set(VARIABLE.findall(text)) | {"COMPOSE_PROJECT_NAME"} == set(example())


def test_secrets_are_made(tmp_path: Path) -> None:
    """One call of the script makes every secret that is declared; a second call changes none of them."""
    folder = tmp_path / "secrets"
    script = DEPLOY / "make-secrets.sh"
    subprocess.run([script, folder], check=True, capture_output=True)
    assert folder.stat().st_mode & 0o077 == 0
    for name, secret in compose()["secrets"].items():
        assert secret["file"] == f"./secrets/{name}"
        assert (folder / name).stat().st_mode & 0o777 == 0o444, name
    assert (folder / "ca.key").stat().st_mode & 0o777 == 0o400
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    subprocess.run([script, folder], check=True, capture_output=True)
    subprocess.run([script, folder, "relay-west"], check=True, capture_output=True)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(after) - set(before) == {"relay-west.pem"}
    assert {name: after[name] for name in before if name != "ca.srl"} == {
        name: data for name, data in before.items() if name != "ca.srl"
    }
    signed = [f"{folder}/{name}" for name in ("kafka-1.pem", "relay.pem", "worker.pem", "relay-west.pem")]
    subprocess.run(
        ["openssl", "verify", "-CAfile", f"{folder}/ca.pem", *signed], check=True, capture_output=True
    )
    password = (folder / "store_password").read_text().strip()
    assert hashlib.sha256(password.encode()).hexdigest() in (folder / "store_user.xml").read_text()
    used = {secret for service in services().values() for secret in secrets_of(service)}
    assert used == set(compose()["secrets"])


def test_no_secret_stands_in_a_file() -> None:
    """Settings and environment name files of secrets; none has a password in it."""
    assert Settings.model_fields.keys() >= {"store", "stream"}
    for path in ("compose.yaml", "compose/spanwatch.toml", "compose/example.env"):
        text = (DEPLOY / path).read_text("utf-8")
        assert not re.search(r"(?i)password\w*\s*[:=]\s*[\"']?(?!/run/secrets/|\.?/)[a-z0-9]", text), path
        assert not re.search(r"://[^/\s:@]+:[^/\s@]+@", text), path
    assert "secrets" in (DEPLOY.parent / ".gitignore").read_text("utf-8")


def test_servers_and_keepers_are_named_as_they_are() -> None:
    """Hosts, ports and variables in ClickHouse's settings are those of the containers."""
    folder = DEPLOY / "clickhouse"
    cluster = ElementTree.parse(folder / "config.d/cluster.xml").getroot()
    network = ElementTree.parse(folder / "config.d/network.xml").getroot()
    keeper = ElementTree.parse(folder / "keeper.xml").getroot()
    shards = [
        [replica.findtext("host") for replica in shard.iter("replica")]
        for shard in cluster.iterfind("./remote_servers/spanwatch/shard")
    ]
    assert shards == [[f"clickhouse-{s}-{r}" for r in (1, 2)] for s in (1, 2)]
    keepers = [f"keeper-{number}" for number in (1, 2, 3)]
    assert [node.findtext("host") for node in cluster.iterfind("./zookeeper/node")] == keepers
    raft = keeper.findall("./keeper_server/raft_configuration/server")
    assert [(s.findtext("hostname"), s.findtext("id")) for s in raft] == [
        (name, services()[name]["environment"]["KEEPER_ID"]) for name in keepers
    ]
    port = keeper.findtext("./keeper_server/tcp_port")
    assert {node.findtext("port") for node in cluster.iterfind("./zookeeper/node")} == {port}
    assert all(f"/127.0.0.1/{port} " in services()[name]["healthcheck"]["test"][-1] for name in keepers)
    http = network.findtext("http_port")
    settings = tomllib.loads((DEPLOY / "compose/spanwatch.toml").read_text("utf-8"))
    assert urlsplit(settings["store"]["dsn"]).port == int(http or 0)
    server = services()["clickhouse-1-1"]
    assert f":{http}/ping" in server["healthcheck"]["test"][-1]
    wanted = {node.get("from_env") for node in cluster.iter() if node.get("from_env")}
    given = set(server["environment"]) | set(re.findall(r"([A-Z_]+)=\$", server["entrypoint"][-1]))
    assert wanted <= given
    mounted = {Path(source).name for source, _, _ in mounts(server) if source.startswith(".")}
    there = {path.name for part in ("config.d", "users.d") for path in (folder / part).glob("*.xml")}
    assert mounted == there
