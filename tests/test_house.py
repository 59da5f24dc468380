"""The house itself: floors, mirrored tests, locked packages, documents that tell the truth."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from pipeline.records import APPLICATIONS, NAME_SOURCES, SIGHTING_SOURCES, TUNNELS
from spanwatch.cli import app

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("spanwatch", "api", "capture", "classifiers", "pipeline", "blocklists")

#: Source files without a test file of their own, and why.
UNTESTED = {
    "classifiers/detector.py": "the files of detectors are read and run in test_detect.py",
    "capture/frames.py": "a tuple of arrays; every test of a source uses it",
    "capture/protocols/outcomes.py": "four numbers; the test of every reader uses them",
    "spanwatch/__main__.py": "one line; tests/spanwatch/program.py starts every process through it",
    "spanwatch/check.py": "a tuple; every test of the doctor uses it",
    "spanwatch/progress.py": "draws on a terminal only",
    "spanwatch/invocation.py": "what test_cli.py calls with",
}

#: Paths of a machine, and hosts that packages come from. Split, so as not to find themselves.
FORBIDDEN = re.compile(
    "|".join(
        (
            r"/wo" r"rk/(main|shared)", r"(?<![\w.])/ro" r"ot/", r"/tmp/" r"bash", r"py" r"pi\.org",
            r"python" r"hosted", r"dev" r"pi", r"arti" r"factory", r"index-url (?!\$)http",
        )
    ),
    re.IGNORECASE,
)  # fmt: skip
#: Where the words of the rule itself stand.
EXEMPT = {"tests/test_house.py"}


def _tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git work tree")
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def _sources() -> list[Path]:
    return [
        path.relative_to(ROOT)
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if path.name != "__init__.py"
    ]


def test_imports_run_down_the_floors() -> None:
    """A room imports from floors below its own only, and neighbours not at all."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_each_source_file_has_its_test_file() -> None:
    """`room/x.py` is tested in `tests/room/test_x.py`, or is named above with the reason."""
    missing = [
        str(path)
        for path in _sources()
        if not (ROOT / "tests" / path.with_name(f"test_{path.name}")).exists() and str(path) not in UNTESTED
    ]
    assert missing == []


def test_exceptions_are_needed() -> None:
    """A file named as without tests exists and has none."""
    for name in UNTESTED:
        path = Path(name)
        assert (ROOT / path).exists(), name
        assert not (ROOT / "tests" / path.with_name(f"test_{path.name}")).exists(), name


def test_rooms_say_what_they_must_never_do() -> None:
    """Each room's `__init__.py` says what it is for."""
    for room in ROOMS:
        text = (ROOT / room / "__init__.py").read_text("utf-8")
        assert text.startswith('"""'), room


def test_no_paths_of_a_machine_and_no_registry() -> None:
    """Nothing that is kept names a machine's folders or the host a package came from."""
    found = []
    for name in _tracked():
        data = (ROOT / name).read_bytes()
        if name in EXEMPT or b"\0" in data[:8192]:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            if FORBIDDEN.search(line):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert found == []


@pytest.mark.parametrize("extra", ["sensor", "server", "dev"])
def test_locks_hold_versions_and_hashes_alone(extra: str) -> None:
    """Every locked package has one version and a hash, and there is no address in the file."""
    text = (ROOT / f"requirements-{extra}.lock").read_text("utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    packages = re.split(r"\n(?=\S)", text.strip())
    assert len(packages) > 10
    for package in packages:
        assert re.match(r"[a-z0-9._-]+==[0-9][^ ]* (; .*)?\\\n", package), package[:80]
        assert "--hash=sha256:" in package


def _locked(extra: str) -> dict[str, str]:
    text = (ROOT / f"requirements-{extra}.lock").read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def test_locks_agree() -> None:
    """A smaller set is part of the larger one, at the same versions."""
    sensor, server, dev = _locked("sensor"), _locked("server"), _locked("dev")
    assert sensor.items() <= server.items() <= dev.items()
    assert "chdb" not in sensor
    assert "fastapi" not in sensor
    assert "pytest" not in server


def _normal(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=\[ ;]", requirement)[0]).lower()


def test_every_dependency_is_locked_and_has_its_reason() -> None:
    """What the project asks for is in its lock and in docs/dependencies.md."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    reasons = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    wanted = {"sensor": project["dependencies"], **project["optional-dependencies"]}
    wanted["sensor"] = project["dependencies"]
    for extra, requirements in wanted.items():
        locked = {_normal(name) for name in _locked(extra)}
        for requirement in requirements:
            assert _normal(requirement) in locked, requirement
            assert re.search(rf"^\|.*\b{re.escape(_normal(requirement))}\b.*\|", reasons, re.MULTILINE), (
                requirement
            )


def _commands() -> dict[str, set[str]]:
    """Options of each command and subcommand."""
    found: dict[str, set[str]] = {}

    def walk(command: object, name: str) -> None:
        parameters = getattr(command, "params", [])
        found[name] = {option for p in parameters for option in (*p.opts, *p.secondary_opts)}
        for below, child in getattr(command, "commands", {}).items():
            walk(child, f"{name} {below}".strip())

    walk(typer.main.get_command(app), "")
    return found


def _code(text: str) -> str:
    """The fenced blocks, and what stands in backticks, a line each."""
    fenced = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*fenced, *inline])


def _documents() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _examples() -> list[tuple[str, str]]:
    pattern = re.compile(r"(?:^|bin/)spanwatch ([a-z][^\n|;#>]*)", re.MULTILINE)
    return [
        (document.name, match.group(1).strip())
        for document in _documents()
        for match in pattern.finditer(_code(document.read_text("utf-8")))
    ]


def test_commands_in_the_documents_exist() -> None:
    """Every `spanwatch …` in the documents is a command of the program, with options it has."""
    commands = _commands()
    examples = _examples()
    assert len(examples) > 10
    for document, example in examples:
        words = example.split()
        name = " ".join(words[:2]) if " ".join(words[:2]) in commands else words[0]
        assert name in commands, f"{document}: spanwatch {example}"
        for option in re.findall(r"--[a-z-]+", example):
            assert option in commands[name] | {"--help"}, f"{document}: spanwatch {example}"


def _headings(document: Path) -> set[str]:
    """Names by which a link reaches a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_in_the_documents_lead_somewhere() -> None:
    """A relative link points at a file that is there, and at a heading of it."""
    for document in _documents():
        for target, heading in re.findall(
            r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", document.read_text("utf-8")
        ):
            page = document.parent / target if target else document
            assert page.exists(), f"{document.name}: {target}"
            assert not heading or heading in _headings(page), f"{document.name}: {target}#{heading}"


@pytest.mark.parametrize("words", [APPLICATIONS, TUNNELS, NAME_SOURCES[1:], SIGHTING_SOURCES])
def test_the_page_of_protocols_has_every_word(words: tuple[str, ...]) -> None:
    """What a record may say of a protocol is explained in docs/protocols.md."""
    told = set(re.findall(r"`([a-z0-9_]+)`", (ROOT / "docs/protocols.md").read_text("utf-8")))
    assert set(words) - told - {""} == set()


def test_make_targets_in_the_documents_exist() -> None:
    """Every `make …` in the documents is a target."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for document in _documents():
        for target in re.findall(
            r"(?:^|`)make (?:-C \S+ )?([a-z]+)", document.read_text("utf-8"), re.MULTILINE
        ):
            assert target in targets, f"{document.name}: make {target}"
