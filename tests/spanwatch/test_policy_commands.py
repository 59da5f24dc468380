"""`policy` as a user calls it."""

import fcntl
import io
import json
import tomllib
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from spanwatch.cli import DONE, FAILED, USAGE, main
from spanwatch.policy_commands import explained_lines
from tests.classifiers.policy_text import BASE
from tests.spanwatch.captures import first_frames
from tests.spanwatch.program import environment, run

Captured = pytest.CaptureFixture[str]


def test_policy_in_force_is_good(capsys: Captured) -> None:
    """The starter policy passes its own check, and `show` prints the same version."""
    assert main(["policy", "check"]) == DONE
    checked = capsys.readouterr().out
    assert main(["policy", "show"]) == DONE
    assert json.loads(capsys.readouterr().out)["version"] in checked


@pytest.mark.parametrize(
    "text", ["[[rules]]\naction = 'maybe'\n", "not toml at all [", '[[sites]]\nid = "a"\nid2 = 1\n']
)
def test_broken_policy(text: str, tmp_path: Path, capsys: Captured) -> None:
    """A broken policy is exit code 2 and one line with file, line and mend."""
    file = tmp_path / "policy.toml"
    file.write_text(text)
    assert main(["policy", "check", str(file)]) == USAGE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert f"{file}:" in lines[0]
    assert ";" in lines[0]


def test_broken_policy_stops_the_worker_before_it_works(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service doesn't start with a broken policy, and no store is made."""
    file = tmp_path / "policy.toml"
    file.write_text("[[rules]]\naction = 'maybe'\n")
    monkeypatch.setenv("SPANWATCH_POLICY", str(file))
    state = tmp_path / "state"
    assert main(["--state", str(state), "worker"]) == USAGE
    assert f"{file}:" in capsys.readouterr().err
    assert not (state / "store").exists()


def test_check_tells_every_problem(tmp_path: Path, capsys: Captured) -> None:
    """Several problems are all told on standard output, the first of them as the error."""
    file = tmp_path / "policy.toml"
    file.write_text(BASE.replace('"games"]', '"gamez"]').replace("10.30.0.0/16", "10.30.0.1/16"))
    assert main(["policy", "check", str(file)]) == USAGE
    told = capsys.readouterr()
    assert "10.30.0.1/16" in told.out
    assert "did you mean 'games'?" in told.out
    assert "(and 1 more)" in told.err


def test_check_warns_and_is_good(tmp_path: Path, capsys: Captured) -> None:
    """Doubts are told with their lines; the policy is good all the same."""
    file = tmp_path / "policy.toml"
    file.write_text(BASE + '[[groups]]\nid = "ghosts"\n')
    assert main(["policy", "check", str(file)]) == DONE
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith(f"{file}:35: warning: no client ever belongs to group 'ghosts'; ")
    assert "good; 1 site, 3 groups" in told[1]


def test_check_knows_the_services_of_the_lists(tmp_path: Path, capsys: Captured) -> None:
    """A service that no list names is a problem with the nearest one as its mend."""
    file = tmp_path / "policy.toml"
    file.write_text(BASE + '[[rules]]\nservices = ["YouTub"]\naction = "allow"\n')
    assert main(["policy", "check", str(file)]) == USAGE
    assert "unknown service 'YouTub': no list names it; did you mean 'YouTube'?" in capsys.readouterr().err


def test_check_reads_standard_input(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(BASE.encode())))
    assert main(["policy", "check", "-"]) == DONE
    assert capsys.readouterr().out.startswith("-: good; ")


def test_examples_are_printed_and_pass_the_check(tmp_path: Path, capsys: Captured) -> None:
    """Each example comes out as a file that is good; without a name the names come out."""
    assert main(["policy", "example"]) == DONE
    names = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["los-angeles", "stanislaus"]
    for name in names:
        assert main(["policy", "example", name]) == DONE
        file = tmp_path / f"{name}.toml"
        file.write_text(capsys.readouterr().out)
        assert main(["policy", "check", str(file)]) == DONE
        assert "warning" not in capsys.readouterr().out
    assert main(["policy", "example", "nowhere"]) == USAGE
    assert "there are los-angeles, stanislaus" in capsys.readouterr().err


def test_schema_is_printed(capsys: Captured) -> None:
    """The schema is JSON with the sections of a policy."""
    assert main(["policy", "schema"]) == DONE
    assert "exemptions" in json.loads(capsys.readouterr().out)["properties"]


EXPLAIN = ["policy", "explain", "--name", "www.youtube.com", "--host", "10.20.1.2"]


def test_explain_in_a_pipe_is_json(tmp_path: Path, capsys: Captured) -> None:
    """In a pipe the explanation is one JSON object; without a store it says that no version was asked."""
    assert main(["--state", str(tmp_path), *EXPLAIN, "--at", "2026-11-18T18:00:00"]) == DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["judged"]["action"], told["judged"]["clause"]) == ("limit", "S9a")
    assert told["judged"]["time"]["duty"]
    assert "there is no store yet" in told["policy"]["note"]
    assert not list(tmp_path.iterdir())


def test_an_explanation_in_words(tmp_path: Path, capsys: Captured) -> None:
    """In words each step has its line, and what decided is marked."""
    file = tmp_path / "policy.toml"
    file.write_text(
        BASE.replace(
            "[[groups]]", 'holidays = [{ from = 2026-11-18, to = 2026-11-18, title = "Fair" }]\n[[groups]]', 1
        )
        + '[[exemptions]]\nid = "E1"\ngroups = ["students"]\ncategories = ["games"]\nreason = "Class"\n'
        'authorised_by = "Principal"\nfrom = 2026-09-01\nuntil = 2026-11-17\n'
    )
    config = tmp_path / "spanwatch.toml"
    config.write_text(f'policy = "{file}"\nstate = "{tmp_path / "state"}"\n')
    ask = ["--config", str(config), "policy", "explain", "--name", "www.roblox.com", "--host", "10.20.1.2"]
    assert main([*ask, "--at", "2026-11-18T18:00:00"]) == DONE
    lines = list(explained_lines(json.loads(capsys.readouterr().out)))
    assert lines[0] == "www.roblox.com for 10.20.1.2: prohibit (A1: No games)"
    assert "group       students, minors: prefix 10.20.0.0/16" in lines
    assert any(line.endswith("off duty, holiday Fair (2026-11-18)") for line in lines)
    assert any(line.startswith("rule 2     → prohibit category games") for line in lines)
    assert any(
        "E1 is expired (2026-09-01 to 2026-11-17): Class, authorised by Principal" in line for line in lines
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--name", "https://x/"], "give the host name alone"),
        (["--host", "nowhere"], "is no address of a host"),
        (["--vlan", "5000"], "is no VLAN id"),
    ],
)
def test_what_can_not_be_explained(more: list[str], said: str, tmp_path: Path, capsys: Captured) -> None:
    """What is no name, address or VLAN is wrong usage, in one line with the mend."""
    assert main(["--state", str(tmp_path), *EXPLAIN, *more]) == USAGE
    assert said in capsys.readouterr().err


def test_two_files_are_compared(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, of which one may be standard input, are compared without a store, a line for each change."""
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(BASE)
    two.write_text(BASE.replace("vlans = [20]", "vlans = [20, 22]"))
    assert main(["policy", "diff", str(one), str(two)]) == DONE
    assert capsys.readouterr().out == "~ groups[students].vlans: +22\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(BASE.encode())))
    assert main(["policy", "diff", "-", str(two)]) == DONE
    assert capsys.readouterr().out == "~ groups[students].vlans: +22\n"
    assert main(["policy", "diff", "-", "-"]) == USAGE
    assert "given twice" in capsys.readouterr().err
    assert main(["--state", str(tmp_path / "none"), "policy", "diff", "abcd", str(two)]) == USAGE
    assert "there is no store yet; give a file" in capsys.readouterr().err


def test_without_a_store_there_are_no_versions(tmp_path: Path, capsys: Captured) -> None:
    """Listing versions where there is no store is an error of one line, and makes none."""
    assert main(["--state", str(tmp_path / "none"), "policy", "list"]) == FAILED
    assert "cannot list the versions: there is no store yet" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_versions_of_a_running_spanwatch_are_asked_of_its_api(tmp_path: Path, capsys: Captured) -> None:
    """Where another process holds the store, the line says which, and where its versions are to be had."""
    status = tmp_path / "store" / "status"
    status.parent.mkdir()
    status.write_text("PID: 4711\n")
    with open(status, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert main(["--state", str(tmp_path), "policy", "list"]) == FAILED
    told = capsys.readouterr().err
    assert "another spanwatch process (pid 4711) holds the store" in told
    assert "/v1/policies" in told


@pytest.mark.slow
def test_versions_outlive_the_process(tmp_path: Path) -> None:
    """What a replay was judged by is listed, shown, compared and explained afterwards, by other processes."""
    file, state = tmp_path / "policy.toml", tmp_path / "state"
    capture = tmp_path / "small.pcap"
    first_frames(capture, 50)
    env = environment(SPANWATCH_POLICY=str(file))
    for text in (BASE, BASE.replace('action = "prohibit"\nclause = "A1"', 'action = "limit"')):
        file.write_text(text)
        assert run("--state", state, "replay", capture, env=env).returncode == 0
    listed = run("--state", state, "policy", "list", env=env)
    latest, first = (json.loads(line) for line in listed.stdout.splitlines())
    assert first["valid_until"] == latest["valid_from"]
    assert latest["valid_until"] is None
    assert "~ rules[games for students, always].action: prohibit → limit" in latest["changes"]
    shown = run("--state", state, "policy", "show", "--version", first["version"][:6], env=env)
    assert json.loads(shown.stdout)["rules"][1]["action"] == "prohibit"
    diffed = run("--state", state, "policy", "diff", first["version"], env=env)
    assert "prohibit → limit" in diffed.stdout.decode()
    ask = ["--state", state, "policy", "explain", "--name", "www.roblox.com", "--host", "10.20.1.2"]
    then = run(*ask, "--at", first["loaded"], env=env)
    assert json.loads(then.stdout)["policy_version"] in (first["version"], latest["version"])
    moment = datetime.fromisoformat(latest["valid_from"]) + timedelta(days=1)
    told = json.loads(run(*ask, "--at", moment.strftime("%Y-%m-%dT%H:%M:%S"), env=env).stdout)
    assert (told["judged"]["action"], told["policy"]["version"]) == ("limit", latest["version"])


def test_proposals_without_a_store(tmp_path: Path, capsys: Captured) -> None:
    """Where nothing was recorded yet there is nothing to propose: one line that says so."""
    assert main(["--state", str(tmp_path / "state"), "policy", "propose"]) == FAILED
    assert "there is no store yet" in capsys.readouterr().err
    assert main(["policy", "propose", "--to", "2026-01-01"]) == USAGE


@pytest.mark.slow
def test_proposals_of_a_capture(tmp_path: Path, capsys: Captured) -> None:
    """What the demo's network shows is proposed as a table that a policy can hold."""
    state = ["--state", str(tmp_path / "state")]
    store = ["--state", str(tmp_path / "state" / "demo")]
    assert main([*state, "demo", "--once"]) == DONE
    capsys.readouterr()
    assert main([*store, "policy", "propose"]) == DONE
    approved = tomllib.loads(capsys.readouterr().out)["approved"]
    assert "10.20.0.1" in approved["dhcp"]
    assert main([*store, "policy", "propose", "--json"]) == DONE
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["key"] for one in found} <= {"dhcp", "dhcpv6", "routers", "router_macs", "switches"}
