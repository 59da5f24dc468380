"""ClickHouse for tests: the current engine behind HTTP, and Debian's server, on free loopback ports."""

import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services.processes import Program, answers, free_ports
from tests.services.zookeeper import ZooKeeper

#: Where Debian puts its server, version 18.16 of 2018.
DEBIAN = "/usr/sbin/clickhouse-server"
USERS = """<yandex>
    <profiles><default><max_memory_usage>1000000000</max_memory_usage></default></profiles>
    <users><default>
        <password>{password}</password>
        <networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
    </default></users>
    <quotas><default/></quotas>
</yandex>
"""
CONFIG = """<yandex>
    <logger><level>information</level><console>1</console></logger>
    <http_port>{http}</http_port>
    <tcp_port>{native}</tcp_port>
    <interserver_http_port>{interserver}</interserver_http_port>
    <interserver_http_host>127.0.0.1</interserver_http_host>
    <listen_host>127.0.0.1</listen_host>
    <timezone>UTC</timezone>
    <mark_cache_size>100000000</mark_cache_size>
    <path>{folder}/data/</path>
    <tmp_path>{folder}/tmp/</tmp_path>
    <users_config>{folder}/users.xml</users_config>
    <default_profile>default</default_profile>
    <default_database>default</default_database>
    {more}
</yandex>
"""
SECURE = """<tcp_port_secure>{port}</tcp_port_secure>
    <openSSL><server>
        <certificateFile>{certificate}</certificateFile><privateKeyFile>{key}</privateKeyFile>
        <verificationMode>none</verificationMode><disableProtocols>sslv2,sslv3</disableProtocols>
    </server></openSSL>"""


class CurrentServer(Program):
    """The current engine in a process of its own: many workers, one store. `folder` holds data and log."""

    def __init__(
        self,
        folder: Path,
        password: str = "",
        certificate: Path | None = None,
        cluster: str = "",
        config: Path | None = None,
    ) -> None:
        """`certificate`: PEM of certificate and key, for https. `cluster`: it is the only shard of it.
        `config`: XML of the engine's settings."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        [self.port] = free_ports(1)
        self._scheme = "https" if certificate else "http"
        self._password = password
        command = [sys.executable, "-m", "tests.services.clickhouse_http", str(folder), str(self.port)]
        command += ["--password", password] if password else []
        command += ["--cluster", cluster] if cluster else []
        command += ["--config", str(config)] if config else []
        command += ["--certificate", str(certificate)] if certificate else []
        super().__init__(command, folder / "log", self._answers)

    def _answers(self) -> bool:
        if self._scheme == "https":
            return answers(self.port)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                f"http://127.0.0.1:{self.port}/ping", timeout=5
            ) as reply:
                return bool(reply.read() == b"Ok.\n")
        except OSError:
            return False

    def dsn(self, database: str = "spanwatch") -> str:
        user = f"default:{self._password}@" if self._password else ""
        return f"{self._scheme}://{user}127.0.0.1:{self.port}/{database}"

    def slow(self, seconds: float) -> None:
        """Every statement from now on waits so long before it is looked at; 0 none."""
        delay = self.folder / "delay"
        if seconds:
            delay.write_text(str(seconds))
        else:
            delay.unlink(missing_ok=True)


def missing() -> str:
    """What this machine lacks to run Debian's server, empty where nothing."""
    return "" if shutil.which(DEBIAN) else "no clickhouse-server: apt-get install clickhouse-server"


class DebianServer(Program):
    """Debian's clickhouse-server. `folder` holds settings, data and logs; `more`: more of its settings."""

    def __init__(
        self, folder: Path, more: str = "", password: str = "", tls: tuple[Path, Path] | None = None
    ) -> None:
        """`tls`: PEM files of certificate and key, for `secure_port`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._password = folder, password
        self.port, self.secure_port, http, interserver = free_ports(4)
        if tls:
            more += SECURE.format(port=self.secure_port, certificate=tls[0], key=tls[1])
        ports = {"native": self.port, "http": http, "interserver": interserver}
        self._text = CONFIG.format(folder=folder, more=more, **ports)
        (folder / "users.xml").write_text(USERS.format(password=password))
        (folder / "config.xml").write_text(self._text)
        super().__init__(
            [DEBIAN, f"--config-file={folder}/config.xml"],
            folder / "log",
            lambda: answers(self.port) and (not tls or answers(self.secure_port)),
        )

    def add(self, more: str) -> None:
        """Further XML of its settings, for the next start."""
        self._text = self._text.replace("</yandex>", f"{more}\n</yandex>")
        (self.folder / "config.xml").write_text(self._text)

    def dsn(self, database: str = "spanwatch") -> str:
        user = f"default:{self._password}@" if self._password else ""
        return f"clickhouse://{user}127.0.0.1:{self.port}/{database}"


class DebianCluster:
    """Shards of replicas of Debian's server and a ZooKeeper, all on loopback, named `cluster`.

    `servers[shard][replica]`; each has the macros `shard` and `replica`.
    """

    def __init__(self, folder: Path, shards: int = 2, replicas: int = 2, name: str = "spanwatch") -> None:
        self.name = name
        self.keeper = ZooKeeper(folder / "keeper")
        self.servers = [
            [DebianServer(folder / f"{shard}-{replica}") for replica in range(1, replicas + 1)]
            for shard in range(1, shards + 1)
        ]
        groups = "".join(
            "<shard><internal_replication>true</internal_replication>"
            + "".join(
                f"<replica><host>127.0.0.1</host><port>{server.port}</port></replica>" for server in group
            )
            + "</shard>"
            for group in self.servers
        )
        for shard, group in enumerate(self.servers, 1):
            for replica, server in enumerate(group, 1):
                server.add(
                    f"<remote_servers><{name}>{groups}</{name}></remote_servers>"
                    f"<zookeeper><node><host>127.0.0.1</host><port>{self.keeper.port}</port></node></zookeeper>"
                    f"<macros><shard>{shard}</shard><replica>{replica}</replica></macros>"
                    "<distributed_ddl><path>/clickhouse/ddl</path></distributed_ddl>"
                )

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.keeper)
            for group in self.servers:
                for server in group:
                    stack.enter_context(server)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


class SmallDisk:
    """A tmpfs of so many bytes on a folder, that can be filled and emptied again. Needs root."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self._ballast = folder / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Fill it but for `leave` bytes."""
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 16)):
                    pass
            except OSError:
                file.truncate(max(0, file.tell() - leave))

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """Mounted while the block lasts. Raises CalledProcessError without root."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "spanwatch-test", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield SmallDisk(folder, size)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)
