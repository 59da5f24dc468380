"""Password guessing: who is refused again and again, by whom, and what came of it."""

from typing import Any

import pytest

HOST = "10.20.0.66"
SERVER = "10.10.0.22"
PORTS = {"ssh": 22, "ftp": 21, "smb": 445, "kerberos": 88, "http": 80, "imap": 143}


def refused(
    scribe: Any,
    times: int,
    service: str,
    every: float = 1,
    server: str = SERVER,
    client: str = HOST,
    start: float = 0,
    **values: Any,
) -> None:
    """Connections with one refused log-in each."""
    for number in range(times):
        told = {
            "application": service,
            "logins": 1,
            "logins_failed": 1,
            "payload_up": 900,
            "payload_down": 900,
        }
        scribe.flow(start + number * every, client, server, PORTS[service], **{**told, **values})


def admitted(scribe: Any, seconds: float, service: str, server: str = SERVER, client: str = HOST) -> None:
    """A connection with one log-in that succeeds."""
    refused(scribe, 1, service, 1, server, client, seconds, logins_failed=0, payload_down=60_000)


@pytest.mark.parametrize("service", ["ftp", "smb", "kerberos", "http", "imap"])
@pytest.mark.parametrize(("times", "found"), [(19, 0), (20, 1)])
def test_twenty_refusals_in_fifteen_minutes(scribe, service, times, found):
    """Twenty refused log-ins of one host over one protocol are guessing, nineteen are not."""
    refused(scribe, times, service, 40)
    findings = scribe.detect("password_guessing")
    assert [row["subject"] for row in findings] == [HOST] * found
    if found:
        assert (
            f"20 refusals of log-ins over {service} from 1 server ({SERVER}) in 15 min"
            in findings[0]["statement"]
        )
        assert len(findings[0]["samples"]) == 10


def test_refusals_over_more_than_fifteen_minutes_are_not_summed(scribe):
    """A program that tries an old password every minute stays below the threshold."""
    refused(scribe, 60, "imap", 60)
    assert scribe.detect("password_guessing", seconds=3_600) == []


def test_stale_password_of_a_mail_client_is_no_guessing(scribe):
    """A mail client that asks for three folders every five minutes with an old password is left alone."""
    for folder in range(3):
        refused(scribe, 12, "imap", 300, start=folder)
    assert scribe.detect("password_guessing", seconds=3_600) == []


@pytest.mark.parametrize(("times", "found"), [(29, 0), (30, 1)])
def test_ssh_needs_thirty_in_thirty_minutes(scribe, times, found):
    """Thirty refused log-ins of SSH within half an hour are guessing."""
    refused(scribe, times, "ssh", 58)
    findings = scribe.detect("password_guessing", seconds=1_800)
    assert len(findings) == found
    if found:
        assert "in 30 min" in findings[0]["statement"]


@pytest.mark.parametrize(
    ("values", "found"), [({}, 1), ({"payload_down": 4_001}, 0), ({"payload_up": 40}, 0)]
)
def test_short_sessions_of_ssh_count_where_their_end_was_not_seen(scribe, values, found):
    """Connections too short for a log-in count, those with more bytes or without keys do not."""
    told = {"logins": 0, "logins_failed": 0, "ended": "closed", "payload_up": 1_200, "payload_down": 1_900}
    refused(scribe, 30, "ssh", 10, **{**told, **values})
    findings = scribe.detect("password_guessing")
    assert len(findings) == found
    if found:
        assert "30 connections over ssh" in findings[0]["statement"]
        assert findings[0]["confidence"] == 70


def test_commands_over_ssh_by_key_are_no_guessing(scribe):
    """Forty-five sessions by key, each one short command, are automation: all were admitted."""
    refused(scribe, 45, "ssh", 15, logins=1, logins_failed=0, ended="closed", payload_up=2_900,
            payload_down=2_700)  # fmt: skip
    assert scribe.detect("password_guessing", "guessing_success", "suspected_guessing") == []


def test_few_passwords_at_many_servers_are_one_finding(scribe):
    """A spray of two passwords over ten servers is summed about the host that sprays."""
    for number in range(10):
        refused(scribe, 2, "smb", 60, f"10.10.0.{number}", start=number)
    findings = scribe.detect("password_guessing")
    assert [(row["subject"], row["inputs"]["servers"]) for row in findings] == [(HOST, 10)]
    assert "10.10.0.0, 10.10.0.1, 10.10.0.2, 10.10.0.3, 10.10.0.4, …" in findings[0]["statement"]


def test_every_server_and_host_of_a_large_attack_is_counted(scribe):
    """Past a thousand servers and ten thousand hosts the counts are exact, whatever was read first."""
    for number in range(1_500):
        refused(scribe, 1, "ssh", server=f"10.11.{number // 250}.{number % 250}", start=number % 50)
    for number in range(10_500):
        refused(scribe, 1, "ftp", client=f"10.20.{number // 250}.{number % 250}", start=number % 50)
    found = {row["detector"]: row for row in scribe.detect("password_guessing", "distributed_guessing")}
    assert found["password_guessing"]["inputs"]["servers"] == 1_500
    assert (
        "10.11.0.0, 10.11.0.1, 10.11.0.2, 10.11.0.3, 10.11.0.4, …" in found["password_guessing"]["statement"]
    )
    assert found["distributed_guessing"]["inputs"]["sources"] == 10_500


def test_a_busy_machine_makes_mistakes(scribe):
    """A shared machine with twenty refused log-ins among hundreds that succeed is left alone."""
    refused(scribe, 20, "http", 10)
    refused(scribe, 10, "http", 10, logins=30, logins_failed=0)
    assert scribe.detect("password_guessing") == []


def test_exempt_scanner_may_guess(scribe):
    """The vulnerability scanner of the IT department tries default passwords by order."""
    refused(scribe, 60, "ftp", client="10.10.0.99")
    admitted(scribe, 70, "ftp", client="10.10.0.99")
    assert scribe.detect("password_guessing", "guessing_success", "distributed_guessing") == []


def test_success_after_guessing_is_a_finding_of_its_own(scribe):
    """A log-in after twenty refusals is named with server, time and number of refusals."""
    refused(scribe, 20, "smb")
    admitted(scribe, 25, "smb")
    (finding,) = scribe.detect("guessing_success")
    assert (finding["subject"], finding["severity"], finding["inputs"]["failed"]) == (HOST, "high", 20)
    assert f"logged in over smb to {SERVER} at 10:20:25 UTC" in finding["statement"]


@pytest.mark.parametrize(("before", "when"), [(19, 25), (20, 1_200)])
def test_success_after_few_or_old_refusals_is_a_person(scribe, before, when):
    """Whoever mistypes less often, or comes back much later, is left alone."""
    refused(scribe, before, "smb")
    admitted(scribe, when, "smb")
    assert scribe.detect("guessing_success", seconds=1_800) == []


def test_log_ins_before_the_refusals_are_no_success(scribe):
    """A log-in that came before the guessing is none of its fruits."""
    admitted(scribe, 1, "ftp")
    refused(scribe, 25, "ftp", start=5)
    assert scribe.detect("guessing_success") == []


def test_success_at_another_server_after_a_spray(scribe):
    """A log-in to one server after refusals by others counts, with the refusals of that server told."""
    for number in range(10):
        refused(scribe, 2, "smb", 60, f"10.10.0.{number}", start=number)
    admitted(scribe, 120, "smb", "10.10.0.3")
    (finding,) = scribe.detect("guessing_success")
    assert (finding["inputs"]["failed"], finding["inputs"]["here"]) == (20, 2)


@pytest.mark.parametrize(("hosts", "found"), [(9, 0), (10, 1)])
def test_many_hosts_at_one_server_are_one_finding_about_it(scribe, hosts, found):
    """Ten hosts with five refusals each are told of the server; nine are not."""
    for number in range(hosts):
        refused(scribe, 5, "kerberos", 60, client=f"10.20.0.{100 + number}", start=number)
    findings = scribe.detect("password_guessing", "distributed_guessing", seconds=1_800)
    assert [(row["subject_kind"], row["subject"]) for row in findings] == [("server", SERVER)] * found


def test_mistyped_passwords_of_a_morning_are_no_attack(scribe):
    """A server that refuses forty log-ins and admits a hundred is left alone."""
    for number in range(20):
        refused(scribe, 2, "kerberos", 60, client=f"10.20.0.{100 + number}", start=number)
    for number in range(100):
        admitted(scribe, number, "kerberos", client=f"10.20.1.{number}")
    assert scribe.detect("distributed_guessing", seconds=1_800) == []


def alike(scribe: Any, pauses: list[float], port: int = 443, server: str = SERVER, **values: Any) -> None:
    """Connections of nearly the same size, with these pauses between them."""
    told = {"application": "tls", "payload_up": 800, "payload_down": 3_000}
    moment = 0.0
    for number, pause in enumerate([0, *pauses]):
        moment += pause
        scribe.flow(moment, HOST, server, port, **{**told, "payload_up": 800 + number % 5, **values})


@pytest.mark.parametrize(("count", "found"), [(18, 0), (19, 1)])
@pytest.mark.parametrize("port", [443, 3_389])
def test_twenty_alike_connections_are_suspected(scribe, count, found, port):
    """Twenty connections of the same size within ten minutes to a form or desktop are suspected."""
    alike(scribe, [2.0] * count, port, application="rdp" if port == 3_389 else "tls")
    findings = scribe.detect("suspected_guessing")
    assert [row["severity"] for row in findings] == ["low"] * found
    if found:
        assert (
            f"20 connections over {'RDP' if port == 3_389 else 'HTTPS'} to {SERVER}"
            in findings[0]["statement"]
        )


def test_different_sizes_are_pages(scribe):
    """Connections whose sizes differ by more than a tenth are pages that somebody reads."""
    for number in range(40):
        scribe.flow(number, HOST, SERVER, application="tls", payload_up=500 + 60 * number, payload_down=3_000)
    assert scribe.detect("suspected_guessing") == []


def test_steady_polling_is_left_alone(scribe):
    """A program that asks for news every twenty seconds makes no finding, an unsteady one does."""
    alike(scribe, [20.0] * 29)
    assert scribe.detect("suspected_guessing") == []
    alike(scribe, [10.0, 30.0] * 14, server="10.10.0.23")
    assert len(scribe.detect("suspected_guessing")) == 1


def test_forms_outside_are_not_ours(scribe):
    """Alike connections to a server of the internet are what programs make all day."""
    alike(scribe, [2.0] * 40, server="203.0.113.7")
    assert scribe.detect("suspected_guessing") == []


def test_rounds_cut_anywhere_say_the_same(scribe):
    """A round at a time finds what one over the whole time finds."""
    refused(scribe, 40, "ftp", 20)
    admitted(scribe, 810, "ftp")
    scribe.write()
    names = ("password_guessing", "guessing_success", "distributed_guessing", "suspected_guessing")
    for end in (290, 610, 805, 900):
        scribe.detect(*names, seconds=end)
    whole = [(row["detector"], row["inputs"]) for row in scribe.findings()]
    for table in ("findings", "finding_parts"):
        scribe.store.command(f"TRUNCATE TABLE {table}")
    assert [(row["detector"], row["inputs"]) for row in scribe.detect(*names)] == whole
    assert [name for name, _ in whole] == ["guessing_success", "password_guessing"]
