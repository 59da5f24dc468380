"""Apache ZooKeeper, one node on a free loopback port, for replicated tables of Debian's ClickHouse."""

import socket
from pathlib import Path

from tests.services import maven
from tests.services.processes import Program, free_ports

POM = Path(__file__).with_name("zookeeper.pom.xml")
CONFIG = """tickTime=1000
dataDir={folder}/data
clientPort={port}
clientPortAddress=127.0.0.1
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=isro
"""


def missing() -> str:
    """What this machine lacks to run it, empty where nothing."""
    return maven.missing(POM)


class ZooKeeper(Program):
    """A node whose data and log lie in `folder`. Raises OSError where its jars can't be had."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        [self.port] = free_ports(1)
        config = folder / "zoo.cfg"
        config.write_text(CONFIG.format(folder=folder, port=self.port))
        command = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        command += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{maven.jars(POM)}/*"]
        command += ["org.apache.zookeeper.server.quorum.QuorumPeerMain", str(config)]
        super().__init__(command, folder / "log", self._serves)

    def _serves(self) -> bool:
        """Whether it says `rw` to `isro` (ZooKeeper Administrator's Guide, four letter words)."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"isro")
                return connection.recv(2) == b"rw"
        except OSError:
            return False
