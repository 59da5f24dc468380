"""Programs in Java, fetched once from Maven Central into a folder outside the repository."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

#: Seconds that the jars get to come.
FETCH_S = 600.0


def missing(pom: Path) -> str:
    """What this machine lacks to run the program of a POM, empty where nothing."""
    if shutil.which("java") is None:
        return "no java: apt-get install openjdk-17-jre-headless"
    if _folder(pom).is_dir() or shutil.which("mvn"):
        return ""
    return "no mvn, which fetches jars: apt-get install maven"


def _folder(pom: Path) -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    name = f"{pom.name.removesuffix('.pom.xml')}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    return (Path(base) if base else Path.home() / ".cache") / "spanwatch-tests" / name


def jars(pom: Path) -> Path:
    """Folder with the POM's dependencies, fetched now where they are not there yet. Raises OSError."""
    folder = _folder(pom)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            new = folder.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            done = subprocess.run(
                ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime",
                 f"-DoutputDirectory={new}"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FETCH_S, check=False,
            )  # fmt: skip
            if done.returncode:
                raise OSError(f"mvn could not fetch what {pom.name} names: {done.stdout.strip()[-2000:]}")
            new.rename(folder)
    return folder
