"""The Dockerfile: what it copies is there and let in, its stages fit together, no process is root."""

import re
from pathlib import Path

import pytest

from tests.deploy.composed import DEPLOY

ROOT = DEPLOY.parent
TEXT = (DEPLOY / "Dockerfile").read_text("utf-8")
IGNORE = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
TARGETS = ("server", "sensor")


def stages() -> dict[str, list[str]]:
    """Instructions of each stage, continued lines put together; the first is its FROM."""
    found: dict[str, list[str]] = {}
    joined = re.sub(r"\\\n", " ", "\n".join(line for line in TEXT.splitlines() if not line.startswith("#")))
    name = ""
    for line in filter(None, (line.strip() for line in joined.splitlines())):
        if line.startswith("FROM "):
            name = line.split(" AS ")[1]
            found[name] = []
        if name:
            found[name].append(re.sub(r"\s+", " ", line))
    return found


def above(name: str) -> list[str]:
    """Instructions of a stage and of those that it is built on, first to last."""
    origin = stages()[name][0].split()[1]
    return (above(origin) if origin in stages() else []) + stages()[name]


def test_stages_come_from_stages_before() -> None:
    """Every stage is built on, and copies from, what is named before it; the base is pinned to a patch."""
    before: list[str] = []
    for name, lines in stages().items():
        origin = lines[0].split()[1]
        assert origin in (*before, "${PYTHON}", "scratch")
        for source in re.findall(r"(?:--from=|from=)([a-z-]+)", " ".join(lines)):
            assert source in before
        before.append(name)
    assert re.search(r"^ARG PYTHON=python:3\.11\.\d+-slim-[a-z]+$", TEXT, re.MULTILINE)


def test_what_is_copied_exists_and_is_let_in() -> None:
    """Each COPY of the context finds its file, and the builder may see that and nothing else."""
    copied = {
        source
        for lines in stages().values()
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    assert all((ROOT / source).exists() for source in copied)
    assert IGNORE[1] == "*"
    assert {line.removeprefix("!") for line in IGNORE if line.startswith("!")} == copied
    rooms = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()} - {
        "tests",
        "benchmarks",
    }
    assert rooms <= copied


@pytest.mark.parametrize("target", TARGETS)
def test_processes_are_not_root(target: str) -> None:
    """The last user is a number, so that a cluster can check it; state is a volume, code not its own."""
    lines = above(target)
    users = [line for line in lines if line.startswith("USER ")]
    assert users[-1] == "USER 10001:10001"
    assert lines.index(users[-1]) > max(n for n, line in enumerate(lines) if line.startswith(("RUN", "COPY")))
    assert 'VOLUME ["/var/lib/spanwatch"]' in lines
    assert 'ENTRYPOINT ["spanwatch"]' in lines
    assert not any("--chown" in line for line in lines)
    assert f"COPY --from={target}-packages /opt/spanwatch /opt/spanwatch" in lines


@pytest.mark.parametrize("target", TARGETS)
def test_packages_are_locked_and_the_cache_is_warm(target: str) -> None:
    """Packages come by hash from the lock of the target; compiled code from a stage that filled the cache."""
    lines = " ".join(above(f"{target}-packages"))
    assert f"--require-hashes -r /tmp/requirements-{target}.lock" in lines
    assert "--no-deps --no-build-isolation /tmp/source" in lines
    assert "COPY --from=warmed /var/cache/spanwatch /var/cache/spanwatch" in stages()[target]
    assert any("spanwatch warm" in line for line in stages()["warmed"])
    environment = next(line for line in stages()["base"] if line.startswith("ENV "))
    assert "SPANWATCH_CACHE=/var/cache/spanwatch" in environment
    assert 'NUMBA_CPU_NAME=${CPU} NUMBA_CPU_FEATURES=""' in environment


def test_the_capability_is_on_one_interpreter() -> None:
    """Only the sensor's image has an interpreter with CAP_NET_RAW, and it is the one that compose starts."""
    lines = [line for line in stages()["sensor"] if "setcap" in line]
    assert len(lines) == 1
    assert TEXT.count("setcap ") == 1
    placed = re.search(r"setcap cap_net_raw=ep (\S+)", lines[0])
    assert placed is not None
    compose = Path(DEPLOY / "compose.yaml").read_text("utf-8")
    assert f"entrypoint: [{placed[1]}, -m, spanwatch]" in compose
