"""What fails as policy says, and what fails otherwise: the corroborator `selective`."""

from typing import Any

import pytest

from classifiers.facts import Facts
from classifiers.loss import utc
from classifiers.selective import companies, keys, words_of
from classifiers.verdict import Verdicts, method
from tests.classifiers.conftest import Scribe, at, make_policy

CLIENTS = ("10.20.0.10", "10.20.0.11")
DAY_S = 86_400
COMPANIES = ("alpha", "beta", "gamma", "delta", "epsilon")
SHOPS = ("one", "two", "three", "four", "five")
FAILED = {
    "syn_silence": {"hello": 0, "name_source": "dns", "state": "S0", "packets_up": 4, "packets_down": 0},
    "syn_reset": {"hello": 0, "name_source": "dns", "state": "REJ"},
    "silence": {"hello": 1, "retransmits_up": 3},
    "reset": {"hello": 1, "reset_by": "server", "reset_ttl_delta": 0, "state": "RSTR"},
    "alert": {"hello": 5, "payload_down": 7, "acked_down": 7},
    "closed": {"hello": 1, "flags_down": 0x13},
}
EMPTY = {"acked_down": 0, "bytes_down": 0, "payload_down": 0}
FIT = {
    "syn_silence": "drop", "syn_reset": "reset", "silence": "drop", "reset": "reset", "alert": "reset",
    "closed": "inspection",
}  # fmt: skip


def server(number: int) -> str:
    """An address in a network of its own."""
    return f"100.{64 + number}.0.9"


def fail(
    scribe: Scribe,
    word: str,
    sites: tuple[str, ...] = COMPANIES,
    clients: tuple[str, ...] = CLIENTS,
    t: float = 0,
    servers: Any = server,
    **values: Any,
) -> None:
    """Connections of the clients to all the sites, failed in that way."""
    given = {**EMPTY, "payload_up": 0 if word.startswith("syn") else 517, **FAILED[word], **values}
    for number, site in enumerate(sites):
        for client in clients:
            scribe.named(t, client, servers(number), f"www.{site}.example", **given)


def reach(scribe: Scribe, sites: tuple[str, ...] = SHOPS, t: float = 1, **values: Any) -> None:
    """Connections to what policy allows, delivered."""
    allowed = {"categories": ["shopping"], "action": "allow", **values}
    for number, site in enumerate(sites):
        scribe.named(t, CLIENTS[0], server(20 + number), f"www.{site}.example", **allowed)


def judged(scribe: Scribe, methods: list[str], days: int = 0) -> dict[str, tuple[str, list[str]]]:
    """Verdict and corroborators by site, of today; `days` before are judged first."""
    scribe.write()
    verdicts = Verdicts(scribe.store, Facts.of(make_policy(filter={"methods": methods})))
    for day in range(-days, 1):
        verdicts.rebuild(at(day * DAY_S - 60), at(day * DAY_S + 300))
    return {
        row["name"].split(".")[1]: (row["verdict"], row["corroborators"])
        for row in scribe.attempts()
        if row["action"] == "prohibit" and utc(row["window_start"]) >= at(-60)
    }


BLOCKED = dict.fromkeys(COMPANIES, ("blocked", ["selective"]))


def none_blocked(found: dict[str, tuple[str, list[str]]]) -> bool:
    """Whether nothing is called blocked, and nothing selective."""
    return all(verdict != "blocked" and "selective" not in said for verdict, said in found.values())


@pytest.mark.parametrize("word", FAILED)
def test_what_policy_prohibits_fails_and_nothing_else(scribe: Scribe, word: str) -> None:
    """Sites of several companies, each for two clients, all prohibited, while others are reached: blocked."""
    scribe.watched()
    fail(scribe, word)
    reach(scribe)
    found = judged(scribe, [FIT[word]])
    assert {site: verdict for site, (verdict, _) in found.items()} == dict.fromkeys(COMPANIES, "blocked")
    assert all("selective" in said for _, said in found.values())


def test_confidence_is_that_of_the_bound(scribe: Scribe) -> None:
    """Selectivity lifts weak evidence to the score from which an attempt is blocked, no further."""
    scribe.watched()
    fail(scribe, "syn_silence")
    reach(scribe)
    judged(scribe, ["drop"])
    assert {row["confidence"] for row in scribe.attempts() if row["verdict"] == "blocked"} == {
        method()["bounds"]["blocked_from"]
    }


@pytest.mark.parametrize("methods", [["dns"], ["redirect"], ["reset"]], ids=lambda methods: methods[0])
def test_a_filter_of_another_method_did_not_do_it(scribe: Scribe, methods: list[str]) -> None:
    """Silence is not believed of a filter that answers, resets or redirects."""
    scribe.watched()
    fail(scribe, "syn_silence")
    reach(scribe)
    assert none_blocked(judged(scribe, methods))


def test_sites_of_one_company_fail_together(scribe: Scribe) -> None:
    """Five sites in two networks are one company's outage, or two's."""
    scribe.watched()
    fail(scribe, "syn_silence", servers=lambda number: f"100.{64 + number % 2}.7.{number}")
    reach(scribe)
    assert none_blocked(judged(scribe, ["drop"]))


def test_three_sites_are_too_few(scribe: Scribe) -> None:
    """Fewer companies than the bound may fail by themselves."""
    scribe.watched()
    fail(scribe, "syn_silence", COMPANIES[:3])
    reach(scribe)
    assert none_blocked(judged(scribe, ["drop"]))


def test_an_outage_takes_allowed_sites_too(scribe: Scribe) -> None:
    """Where what policy allows fails in the same way, nothing is selective."""
    scribe.watched()
    fail(scribe, "syn_silence")
    fail(scribe, "syn_silence", ("books",), categories=[], action="allow")
    reach(scribe)
    assert none_blocked(judged(scribe, ["drop"]))


def test_a_prohibited_site_that_is_reached_shows_no_filter(scribe: Scribe) -> None:
    """Where one of the prohibited is delivered in those minutes, the others may be down."""
    scribe.watched()
    fail(scribe, "syn_silence", COMPANIES[:4])
    scribe.named(2, CLIENTS[0], server(9), "www.epsilon.example")
    reach(scribe)
    assert none_blocked(judged(scribe, ["drop"]))


def test_nothing_else_was_under_way(scribe: Scribe) -> None:
    """A dead line fails with everything: without allowed sites that were reached nothing is selective."""
    scribe.watched()
    fail(scribe, "syn_silence")
    reach(scribe, SHOPS[:2])
    assert none_blocked(judged(scribe, ["drop"]))


def test_one_client_alone_says_nothing(scribe: Scribe) -> None:
    """What fails for one host only may be that host's own trouble."""
    scribe.watched()
    fail(scribe, "syn_silence", clients=CLIENTS[:1])
    reach(scribe)
    assert none_blocked(judged(scribe, ["drop"]))


def test_dead_names_of_lists_are_left_out(scribe: Scribe) -> None:
    """Listed malware is often gone: it fails by itself."""
    scribe.watched()
    fail(scribe, "syn_silence", categories=["malware"])
    reach(scribe)
    assert none_blocked(judged(scribe, ["drop"]))


def test_a_site_that_worked_the_day_before_may_be_down(scribe: Scribe) -> None:
    """What was delivered in the days before is an outage until something else shows the filter."""
    scribe.watched()
    for number, site in enumerate(COMPANIES[:3]):
        scribe.named(-DAY_S, CLIENTS[0], server(number), f"www.{site}.example")
    fail(scribe, "syn_silence")
    reach(scribe)
    assert none_blocked(judged(scribe, ["drop"], days=1))


@pytest.mark.slow
def test_undeclared_filters_are_known_by_their_days(scribe: Scribe) -> None:
    """Without a declared method it takes failures of the same kind on days before."""
    scribe.watched()
    for day in (-2, -1):
        fail(scribe, "syn_silence", t=day * DAY_S)
    fail(scribe, "syn_silence")
    reach(scribe)
    assert judged(scribe, [], days=2) == BLOCKED


def test_undeclared_filters_are_not_known_at_first(scribe: Scribe) -> None:
    """On the first day an undeclared filter and an outage look alike."""
    scribe.watched()
    fail(scribe, "syn_silence")
    reach(scribe)
    assert none_blocked(judged(scribe, []))


def ask(scribe: Scribe, t: float, rcode: int | None = None, sites: tuple[str, ...] = COMPANIES) -> None:
    """Questions for the sites that are not answered, or with this code and no address."""
    for site in sites:
        for client in CLIENTS:
            ra = None if rcode is None else True
            scribe.dns(t, client, f"www.{site}.example", rcode=rcode, ra=ra, answered=rcode is not None)


def answer(scribe: Scribe, t: float = 1) -> None:
    """Questions for what policy allows, answered."""
    for site in SHOPS:
        allowed: dict[str, Any] = {"categories": [], "action": "allow"}
        scribe.dns(t, CLIENTS[0], f"www.{site}.example", server(20), **allowed)


@pytest.mark.parametrize(("days", "blocked"), [(0, False), pytest.param(2, True, marks=pytest.mark.slow)])
def test_silence_of_a_resolver_needs_days(scribe: Scribe, days: int, blocked: bool) -> None:
    """Dead name servers look the same for a day, and no longer."""
    scribe.watched()
    for day in range(-days, 1):
        ask(scribe, day * DAY_S)
        answer(scribe, day * DAY_S + 1)
    found = judged(scribe, ["dns"], days)
    assert found == BLOCKED if blocked else none_blocked(found)


@pytest.mark.slow
def test_a_resolver_that_reports_failure_does_not_filter(scribe: Scribe) -> None:
    """SERVFAIL for the same names is a resolver that heard nothing."""
    scribe.watched()
    for day in (-2, -1, 0):
        ask(scribe, day * DAY_S)
        answer(scribe, day * DAY_S + 1)
    ask(scribe, 3, rcode=2)
    assert none_blocked(judged(scribe, ["dns"], days=2))


def test_no_data_for_ipv6_is_believed_where_ipv4_has_none(scribe: Scribe) -> None:
    """Sites without any address are filtered; sites without IPv6 are as they are."""
    scribe.watched()
    answer(scribe)
    for site in COMPANIES:
        for client in CLIENTS:
            scribe.dns(0, client, f"www.{site}.example", qtype=28)
            scribe.dns(0, client, f"m.{site}.example", qtype=1, answers=["gone.example"])
    found = judged(scribe, ["dns"])
    assert found
    assert all("selective" in said for _, said in found.values())


def test_a_site_without_ipv6_is_not_filtered(scribe: Scribe) -> None:
    """No data for AAAA alone is never selective."""
    scribe.watched()
    answer(scribe)
    for site in COMPANIES:
        for client in CLIENTS:
            scribe.dns(0, client, f"www.{site}.example", qtype=28)
            scribe.dns(0, client, f"m.{site}.example", server(3), qtype=1)
    assert none_blocked(judged(scribe, ["dns"]))


def test_companies_are_paired_with_networks() -> None:
    """One service with many networks is one company, and so are many services with one network."""
    assert companies([["a", "b", "c"]], 9) == 1
    assert companies([["a"], ["a"], ["a", "b"]], 9) == 2
    assert companies([["a", "b"], ["a"], ["b", "c"]], 9) == 3
    assert companies([[], ["a"]], 9) == 1
    # Each would take the one before out of its place.
    many = [[f"n{i:05}", f"n{i + 1:05}"] for i in range(20_000)][::-1]
    assert companies([*many, ["n00000"]], 4) == 4


def test_keys_need_companies_of_one_family() -> None:
    """Two companies with a network in each family do not make four."""
    row = {"site": "s", "period": 120, "word": "reset", "units": ["a", "b"]}
    both = [["198.51.0.0", "2001:db8::"], ["203.0.0.0", "3fff:1::"]]
    assert keys([{**row, "networks": both}], 3, []) == []
    assert keys([{**row, "networks": both}], 2, []) == ["s/120/reset/a", "s/120/reset/b"]


def test_words_fit_what_is_declared() -> None:
    """A declared method names its mechanisms; undeclared, all of them, on condition of days."""
    evidence = method()["evidence"]
    assert words_of(["drop"], evidence) == (["silence", "quic_silence", "syn_reset", "syn_silence"], [])
    assert words_of(["dns"], evidence)[1] == ["dns_silence"]
    made, steady = words_of([], evidence)
    assert made == steady
    assert "reset" in made
    assert "dns_sinkhole" not in made
