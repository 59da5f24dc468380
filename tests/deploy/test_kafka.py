"""Three brokers started by the files of deploy/kafka, with certificates of make-secrets.sh."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deploy.composed import DEPLOY
from tests.services import kafka, maven
from tests.services.processes import Program

pytestmark = [
    pytest.mark.service,
    pytest.mark.slow,
    pytest.mark.skipif(bool(kafka.missing()), reason=kafka.missing()),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for network namespaces"),
    pytest.mark.skipif(not shutil.which("mvn"), reason="no mvn, which fetches Kafka's tools"),
]

#: Prefix of the namespaces, and the network that they share.
PREFIX, NETWORK = "swdep", "10.213.77"
#: What the scripts of Kafka's distribution do: a class with the jars.
CLASSES = {
    "kafka-storage.sh": "kafka.tools.StorageTool",
    "kafka-server-start.sh": "kafka.Kafka",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
}
#: A client, to be run in the network of the brokers: what it did, or the name of the error.
CLIENT = """
import json, sys, time
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
what, secrets, name = sys.argv[1:4]
options = {"bootstrap_servers": ["kafka-1:9092", "kafka-2:9092", "kafka-3:9092"], "security_protocol": "SSL",
           "ssl_cafile": secrets + "/ca.pem"}
if name:
    options |= {"ssl_certfile": f"{secrets}/{name}.pem", "ssl_keyfile": f"{secrets}/{name}.pem"}
TOPIC = "spanwatch.flows.v1"
told = None
try:
    if what == "make":
        admin = KafkaAdminClient(**options)
        admin.create_topics([NewTopic(TOPIC, 2, 3)])
        told = sorted(admin.list_topics())
        admin.close()
    if what == "write":
        producer = KafkaProducer(acks="all", enable_idempotence=True, max_request_size=12_000_000, **options)
        told = [producer.send(TOPIC, b"x" * 9_000_000 if n == 2 else b"x", partition=0).get(60).offset
                for n in range(int(sys.argv[4]))]
        producer.close()
    if what == "read":
        consumer = KafkaConsumer(group_id="spanwatch", auto_offset_reset="earliest", enable_auto_commit=False,
                                 **options)
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        end, told = time.monotonic() + 60, 0
        while told < int(sys.argv[4]) and time.monotonic() < end:
            told += sum(map(len, consumer.poll(1000).values()))
        consumer.commit()
        consumer.close()
except Exception as error:
    told = type(error).__name__
print(json.dumps(told))
"""


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def network() -> Iterator[None]:
    """A bridge and a namespace for each broker, which knows the others by name."""
    with ExitStack() as stack:
        hosts = "127.0.0.1 localhost\n" + "".join(f"{NETWORK}.{n} kafka-{n}\n" for n in (1, 2, 3))
        _ip("netns", "add", f"{PREFIX}0")
        stack.callback(_ip, "netns", "del", f"{PREFIX}0")
        _ip("-n", f"{PREFIX}0", "link", "add", "name", "lan", "type", "bridge")
        _ip("-n", f"{PREFIX}0", "link", "set", "lan", "up")
        for n in (1, 2, 3):
            name = f"{PREFIX}{n}"
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
            _ip(
                "-n",
                name,
                "link",
                "add",
                "lan",
                "type",
                "veth",
                "peer",
                "name",
                f"to{n}",
                "netns",
                f"{PREFIX}0",
            )
            _ip("-n", f"{PREFIX}0", "link", "set", f"to{n}", "master", "lan", "up")
            _ip("-n", name, "addr", "add", f"{NETWORK}.{n}/24", "dev", "lan")
            _ip("-n", name, "link", "set", "lan", "up")
            _ip("-n", name, "link", "set", "lo", "up")
            folder = Path("/etc/netns") / name
            folder.mkdir(parents=True)
            stack.callback(shutil.rmtree, folder)
            (folder / "hosts").write_text(hosts)
        yield


def _tools() -> Path:
    """The jar of Kafka's command-line tools, fetched once beside the others."""
    folder = maven.jars(kafka.POM).with_name(maven.jars(kafka.POM).name + "-tools")
    if not list(folder.glob("*.jar")):
        version = next(maven.jars(kafka.POM).glob("kafka-clients-*.jar")).stem.removeprefix("kafka-clients-")
        subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact=org.apache.kafka:kafka-tools:{version}",
             f"-DoutputDirectory={folder}"], check=True, capture_output=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    return folder


class Brokers:
    def __init__(self, folder: Path) -> None:
        self.folder, self.secrets = folder, folder / "secrets"
        subprocess.run([DEPLOY / "make-secrets.sh", self.secrets], check=True, capture_output=True)
        tools = folder / "bin"
        tools.mkdir()
        for script, name in CLASSES.items():
            line = (
                f'exec java {" ".join(kafka.HEAP)} -cp "{maven.jars(kafka.POM)}/*:{_tools()}/*" {name} "$@"'
            )
            (tools / script).write_text(f"#!/bin/sh\n{line}\n")
            (tools / script).chmod(0o755)
        self.path = f"{tools}:{os.environ['PATH']}"
        self.programs = [self._broker(n) for n in (1, 2, 3)]

    def _broker(self, n: int) -> Program:
        run = self.folder / f"broker-{n}"
        run.mkdir()
        text = (DEPLOY / "kafka/server.properties").read_text("utf-8")
        given = run / "given.properties"
        given.write_text(text.replace("/var/lib/kafka/data", f"{run}/data"))
        log = self.folder / f"log-{n}"
        command = [
            "ip", "netns", "exec", f"{PREFIX}{n}", "env", f"PATH={self.path}", f"KAFKA_NODE={n}",
            "KAFKA_CLUSTER=c3BhbndhdGNoLXRlc3RzMA", f"KAFKA_OUTSIDE={NETWORK}.{n}:9094", f"KAFKA_RUN={run}",
            f"KAFKA_SECRETS={self.secrets}", f"KAFKA_PROPERTIES={given}", DEPLOY / "kafka/start.sh",
        ]  # fmt: skip
        ready = lambda: log.exists() and "Kafka Server started" in log.read_text("utf-8", "replace")  # noqa: E731
        return Program(list(map(str, command)), log, ready, kafka.START_S)

    def start(self) -> None:
        # A broker is ready only where a second one is: they elect their controller together.
        for program in self.programs:
            program._ready, ready = (lambda: True), program._ready
            program.start()
            program._ready = ready
        end = time.monotonic() + kafka.START_S
        while not all(program._ready() for program in self.programs):
            gone = [
                n for n, program in enumerate(self.programs, 1) if not Path(f"/proc/{program.pid}").exists()
            ]
            told = (self.folder / f"log-{(gone or [1])[0]}").read_text("utf-8", "replace")[-3_000:]
            assert not gone, told
            assert time.monotonic() < end, told
            time.sleep(0.2)

    def rights(self) -> None:
        environment = {
            "PATH": self.path, "KAFKA_BOOTSTRAP": "kafka-1:9092,kafka-2:9092", "KAFKA_RELAYS": "relay",
            "KAFKA_WORKERS": "worker", "KAFKA_SECRETS": str(self.secrets), "KAFKA_RUN": str(self.folder),
        }  # fmt: skip
        done = subprocess.run(
            ["ip", "netns", "exec", f"{PREFIX}1", DEPLOY / "kafka/rights.sh"],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def client(self, what: str, name: str, count: int = 0) -> object:
        done = subprocess.run(
            ["ip", "netns", "exec", f"{PREFIX}1", sys.executable, "-W", "ignore", "-c", CLIENT,
             what, str(self.secrets), name, str(count)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, timeout=120,
        )  # fmt: skip
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def brokers(network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    made = Brokers(tmp_path_factory.mktemp("brokers"))
    try:
        made.start()
        made.rights()
        yield made
    finally:
        for program in made.programs:
            program.kill()


def test_each_may_what_it_must_and_no_more(brokers: Brokers) -> None:
    """A relay makes topics, writes large batches and can't read; a worker reads; without certificate: out."""
    assert brokers.client("make", "relay") == ["spanwatch.flows.v1"]
    assert brokers.client("write", "relay", 3) == [0, 1, 2]
    assert brokers.client("read", "worker", 3) == 3
    assert "Authorization" in str(brokers.client("read", "relay", 3))
    assert isinstance(brokers.client("write", "", 1), str)


def test_two_of_three_go_on(brokers: Brokers) -> None:
    """With one broker killed what is written is still acknowledged by two, and read."""
    brokers.rights()
    brokers.programs[2].kill()
    written = brokers.client("write", "relay", 1)
    assert isinstance(written, list)
    assert brokers.client("read", "worker", written[0] + 1 - 3) == written[0] + 1 - 3
