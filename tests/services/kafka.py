"""Apache Kafka (KRaft) for tests: one broker or three on free loopback ports, to be killed one by one.

    with Kafka(folder, brokers=3) as kafka:
        settings = load_settings(stream={"kafka": {"brokers": kafka.addresses}})
        kafka.kill(1)
        kafka.start(1)

Each broker is a controller, too, with a heap of 256 MiB. Its jars come once from Maven Central.
"""

import os
import signal
import subprocess
import time
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from tests.lab.certificates import Certificates
from tests.services import maven
from tests.services.processes import free_ports

POM = Path(__file__).with_name("kafka.pom.xml")
HEAP = ("-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
#: Seconds that a broker gets to start on a busy machine.
START_S = 120.0
#: Between a broker and us: when its standard input closes, however we end, the broker ends for good.
GUARD = '"$@" & broker=$!; echo $broker; read -r _; kill -9 $broker; wait $broker 2>/dev/null'
#: Rights are asked for, and connections in the clear have all.
GUARDED = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
#: User and password of the SCRAM variant.
USER, PASSWORD = "spanwatch", "s3cret-of-the-tests"


class Security(StrEnum):
    """How clients must come."""

    NONE = "none"
    TLS = "tls"
    MTLS = "mtls"
    SCRAM = "scram"
    """SASL SCRAM-SHA-512 over TLS."""


def missing() -> str:
    """What this machine lacks to run a broker, empty where nothing."""
    return maven.missing(POM)


class Kafka:
    """A cluster of `brokers` (numbered from 1) in `folder`, whose files `log-N.txt` are the brokers' logs."""

    def __init__(
        self, folder: Path, brokers: int = 1, security: Security = Security.NONE, *, guarded: bool = False
    ) -> None:
        """Write the settings and format the brokers' folders; nothing runs yet. Raises OSError.

        `guarded`: clients may do what they were given a right to; whoever comes by `inside`, everything.
        """
        self.folder = folder
        self.security = security
        self._guarded = guarded
        self.numbers = list(range(1, brokers + 1))
        self._guards: dict[int, subprocess.Popen[str]] = {}
        self._pids: dict[int, int] = {}
        ports = free_ports(3 * brokers)
        self._client = dict(zip(self.numbers, ports, strict=False))
        self._internal = dict(zip(self.numbers, ports[brokers:], strict=False))
        self._controller = dict(zip(self.numbers, ports[2 * brokers :], strict=False))
        folder.mkdir(parents=True, exist_ok=True)
        self._secure = self._make_certificates() if security != Security.NONE else ""
        for number in self.numbers:
            self._properties(number).write_text(self._text(number))
            self._format(number)

    @property
    def host(self) -> str:
        """As the brokers name themselves: the name in their certificate where they have one."""
        return "127.0.0.1" if self.security == Security.NONE else "localhost"

    @property
    def addresses(self) -> list[str]:
        """`host:port` of each broker, for clients."""
        return [f"{self.host}:{port}" for port in self._client.values()]

    @property
    def inside(self) -> list[str]:
        """The same for those who come in the clear, as the brokers do to each other."""
        return [f"127.0.0.1:{port}" for port in self._internal.values()]

    @property
    def settings(self) -> dict[str, Any]:
        """Keys of `[stream.kafka]` by which a client comes in."""
        found: dict[str, Any] = {"brokers": self.addresses}
        if self.security != Security.NONE:
            found["ca"] = str(self.folder / "certificates" / "ca.pem")
        if self.security == Security.MTLS:
            found["certificate"] = str(self.folder / "certificates" / "client.pem")
            found["key"] = str(self.folder / "certificates" / "leaf.key")
        if self.security == Security.SCRAM:
            password = self.folder / "password"
            password.write_text(PASSWORD + "\n")
            password.chmod(0o600)
            found |= {"mechanism": "SCRAM-SHA-512", "user": USER, "password_file": str(password)}
        return found

    def start(self, *numbers: int) -> None:
        """Start these brokers (without any: all that do not run), and wait until they serve.

        Raises OSError with the end of its log where one does not.
        """
        wanted = numbers or tuple(number for number in self.numbers if not self.runs(number))
        begun = {number: self._log(number).stat().st_size if self._log(number).exists() else 0
                 for number in wanted}  # fmt: skip
        for number in wanted:
            command = [
                "java", *HEAP, "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS", "-cp", f"{maven.jars(POM)}/*",
                "kafka.Kafka", str(self._properties(number)),
            ]  # fmt: skip
            with open(self._log(number), "a") as log:
                guard = subprocess.Popen(
                    ["sh", "-c", GUARD, "guard", *command],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                    start_new_session=True,
                )  # fmt: skip
            assert guard.stdout is not None
            self._guards[number] = guard
            self._pids[number] = int(guard.stdout.readline())
        deadline = time.monotonic() + START_S
        for number in wanted:
            while (
                "Kafka Server started" not in self._log(number).read_text("utf-8", "replace")[begun[number] :]
            ):
                if time.monotonic() > deadline or not self.runs(number):
                    text = self._log(number).read_text("utf-8", "replace")[-3000:]
                    self.stop()
                    raise OSError(f"broker {number} did not start: {text}")
                time.sleep(0.1)

    def runs(self, number: int) -> bool:
        """Whether the broker's process is there; a paused one is."""
        if number not in self._pids:
            return False
        try:
            status = Path(f"/proc/{self._pids[number]}/stat").read_text()
        except OSError:
            return False
        return status.rpartition(")")[2].split()[0] not in "ZX"

    def pid(self, number: int) -> int:
        """Process of a broker that was started."""
        return self._pids[number]

    def kill(self, number: int) -> None:
        """End the broker at once (SIGKILL), as a power cut would; gone when this returns."""
        guard = self._guards.pop(number)
        del self._pids[number]
        with guard:
            assert guard.stdin is not None
            guard.stdin.close()

    def terminate(self, number: int) -> None:
        """Ask the broker to stop: it hands over what it leads first."""
        os.kill(self._pids[number], signal.SIGTERM)
        deadline = time.monotonic() + START_S
        while self.runs(number) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.kill(number)

    def pause(self, number: int) -> None:
        """Stop the broker in its tracks (SIGSTOP): its connections stay open and silent."""
        os.kill(self._pids[number], signal.SIGSTOP)

    def resume(self, number: int) -> None:
        os.kill(self._pids[number], signal.SIGCONT)

    def stop(self) -> None:
        """End all brokers for good. What they wrote stays in the folder."""
        for number in list(self._guards):
            self.kill(number)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _log(self, number: int) -> Path:
        return self.folder / f"log-{number}.txt"

    def _properties(self, number: int) -> Path:
        return self.folder / f"broker-{number}.properties"

    def _make_certificates(self) -> str:
        made = Certificates(self.folder / "certificates", "Brokers of the tests")
        key, chain = made.leaf("broker", ("localhost",))
        made.leaf("client", ("sensor.example",))
        store = made.folder / "broker-store.pem"
        store.write_text(key.read_text() + chain.read_text())
        lines = [
            "ssl.keystore.type=PEM", f"ssl.keystore.location={store}",
            "ssl.truststore.type=PEM", f"ssl.truststore.location={made.folder / 'ca.pem'}",
        ]  # fmt: skip
        if self.security == Security.MTLS:
            lines.append("listener.name.client.ssl.client.auth=required")
        if self.security == Security.SCRAM:
            lines += [
                "listener.name.client.sasl.enabled.mechanisms=SCRAM-SHA-512",
                "listener.name.client.scram-sha-512.sasl.jaas.config="
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            ]
        return "\n".join(lines)

    def _text(self, number: int) -> str:
        client = {Security.NONE: "PLAINTEXT", Security.SCRAM: "SASL_SSL"}.get(self.security, "SSL")
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in self._controller.items())
        inside = f"INTERNAL://127.0.0.1:{self._internal[number]}"
        controller = f"CONTROLLER://127.0.0.1:{self._controller[number]}"
        port = self._client[number]
        copies = min(3, len(self.numbers))
        return f"""\
process.roles=broker,controller
node.id={number}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=CLIENT://127.0.0.1:{port},{inside},{controller}
advertised.listeners=CLIENT://{self.host}:{port},{inside},{controller}
listener.security.protocol.map=CLIENT:{client},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INTERNAL
log.dirs={self.folder / f"data-{number}"}
num.network.threads=2
num.io.threads=4
auto.create.topics.enable=false
offsets.topic.num.partitions=8
offsets.topic.replication.factor={copies}
transaction.state.log.replication.factor={copies}
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
{self._secure}
{GUARDED if self._guarded else ""}
"""

    def _format(self, number: int) -> None:
        command = [
            "java", *HEAP, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", f"{maven.jars(POM)}/*",
            "kafka.tools.StorageTool", "format", "--cluster-id", "c3BhbndhdGNoLXRlc3RzMA",
            "--config", str(self._properties(number)),
        ]  # fmt: skip
        if self.security == Security.SCRAM:
            command += ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=False)
        if done.returncode:
            raise OSError(f"cannot format broker {number}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
