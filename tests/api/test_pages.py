"""The pages: what they show, to whom, and what they must not let through."""

import html
import re
from collections.abc import Iterator

import pytest

from api.roles import ROLES
from pipeline.records import mac_text
from tests.api.conftest import Running
from tests.api.school import LAPTOP, MACS, NINE, OFFICE, SECOND, TABLET, attempt, finding, flow, put

FINDING = f"{1:032x}"
PAGES = [
    "/", "/?by=application", "/?span=all", "/findings", f"/findings/{FINDING}", "/attempts",
    "/attempts?verdict=blocked", "/devices", f"/devices/{mac_text(MACS[LAPTOP])}",
    f"/hosts/{LAPTOP}", "/health", "/docs",
]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_well_formed(school: Running, everyone: tuple[str, ...], path: str) -> None:
    """Every page answers, has language and heading, closes what it opens, and runs no inline script."""
    answer = school.get(path, *everyone, accept="text/html")
    assert answer.status_code == 200, answer.text
    text = answer.text
    assert '<html lang="en">' in text
    assert "<h1>" in text
    for tag in ("table", "tr", "td", "th", "section", "div", "form", "figure", "details", "ul", "dl", "dd"):
        assert len(re.findall(rf"<{tag}[\s>]", text)) == text.count(f"</{tag}>"), tag
    assert not re.search(r"\son\w+=|\sstyle=|javascript:", text)
    assert not re.search(r"<script(?![^>]*(src=|application/json))", text)
    assert "None" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)


def test_the_overview_says_what_it_knows(school: Running, everyone: tuple[str, ...]) -> None:
    """Totals with units, the range with its offset, that records are old, and unknown as unknown."""
    text = html.unescape(school.get("/", *everyone).text)
    assert "766\u00a0kB" in text
    assert "UTC−08:00" in text
    assert "ends with the newest record" in text
    assert "unknown: no sensor reported" in text
    assert "cart-12" in text
    assert "social_media" in text


def test_services_say_where_their_names_come_from(school: Running, everyone: tuple[str, ...]) -> None:
    """Wherever a page names services, it says what told them."""
    for path in ("/", f"/hosts/{LAPTOP}", f"/devices/{mac_text(MACS[LAPTOP])}"):
        text = html.unescape(school.get(path, *everyone).text)
        assert "Named by</th>" in text, path
        assert "<td>sni</td>" in text, path


def test_what_the_policy_permits_is_no_leak(school: Running) -> None:
    """The overview counts prohibited attempts once each; nothing prohibited has no rate; the list of
    attempts says what the policy wanted, and colours only what it did not want."""
    overview = html.unescape(school.get("/", "auditor").text)
    assert "3 of 5 prohibited attempts blocked, 1 leaked" in overview
    row = re.search(r"<tr>(?:(?!</tr>).)*categories=streaming_video.*?</tr>", overview, re.S)
    assert row is not None
    assert row[0].count(">–</td>") == 2
    attempts = school.get("/attempts", "auditor").text
    assert attempts.count("badge o-leaked") == 1
    assert attempts.count("badge o-permitted") == 2
    assert attempts.count("badge o-overblocked") == 1


def test_the_overview_shows_the_gravest_findings(scratch: Running) -> None:
    """High ones first though they are older, the latest of one severity first; the page of findings stays
    by time."""
    severities = {201: "low", 202: "high", 203: "medium", 204: "high", 205: "low"}
    put(scratch.store, "findings", [
        finding(number, "scanning", LAPTOP, severity=severity) for number, severity in severities.items()
    ])  # fmt: skip
    put(scratch.store, "flows", [flow(220 * 60, LAPTOP)])
    put(scratch.store, "batches", [
        {"sensor": "aula", "boot": "gravest", "sequence": 0, "records": "flows", "rows": 1,
         "first": NINE + 220 * 60 * SECOND, "last": NINE + 221 * 60 * SECOND, "inserted": NINE},
    ])  # fmt: skip
    asked = "from=2026-03-02T20:00:00Z&to=2026-03-02T21:00:00Z"

    def order(path: str) -> list[int]:
        return [
            int(id_, 16)
            for id_ in re.findall(r"/findings/([0-9a-f]{32})", scratch.get(path, "engineer").text)
        ]

    assert order(f"/?{asked}") == [204, 202, 203, 205, 201]
    assert order(f"/findings?{asked}") == [205, 204, 203, 202, 201]


def test_what_devices_say_is_text_on_a_page(scratch: Running) -> None:
    """Markup in a statement or sample is shown as it was said, on the list and on its own page."""
    said = "<script>alert(1)</script>\" onload='x' &lt;"
    told = {"statement": f"{LAPTOP} calls itself {said}", "samples": [said]}
    put(scratch.store, "findings", [finding(500, "equipment", LAPTOP, **told)])
    shown = scratch.get(f"/findings/{500:032x}", "engineer").text
    listed = scratch.get("/findings?from=2026-03-01T00:00:00Z&to=2026-03-04T00:00:00Z", "engineer").text
    for page in (shown, listed):
        assert "<script>alert" not in page
        assert said in html.unescape(page)


def test_an_input_of_zero_is_zero(scratch: Running) -> None:
    """What a detector counted none of is shown as 0; only what it has no number for as a dash."""
    counted = [("targets", 51.0), ("partial", 0.0)]
    put(scratch.store, "findings", [finding(400, "scanning", LAPTOP, inputs=counted)])
    shown = scratch.get(f"/findings/{400:032x}", "engineer").text
    assert re.findall(r'partial</th><td class="number">(.*?)</td><td class="number">(.*?)</td>', shown) == [
        ("0", "–")
    ]


@pytest.mark.parametrize("role", ROLES)
def test_pages_follow_the_roles(school: Running, role: str) -> None:
    """Each role's overview holds its sections and no other, and nobody's address where hosts are hidden."""
    text = school.get("/", role).text
    grants = ROLES[role].grants
    allowed = {name for name, grant in grants.items() if not grant.needs}
    assert ("Top talkers" in text) == ("bandwidth" in allowed)
    assert ("Filtering outcome" in text) == ("filtering" in allowed)
    assert ("All findings" in text) == ("findings" in allowed)
    if not any(grants[name].hosts == "clear" for name in allowed):
        assert not any(address in text for address in (TABLET, LAPTOP, OFFICE))
    if "filtering" not in allowed:
        assert "adult" not in text


def test_refusals_are_pages_for_people(school: Running) -> None:
    """A page beyond the role says what would do; without a token there is the form."""
    refused = school.get("/devices", "auditor", accept="text/html")
    assert refused.status_code == 403
    assert "helpdesk" in refused.text
    assert school.get("/hosts/nonsense", "engineer", accept="text/html").status_code == 422
    nobody = school.get("/findings", accept="text/html")
    assert nobody.status_code == 401
    assert 'name="token"' in nobody.text


def test_an_empty_store_is_explained(empty: Running, everyone: tuple[str, ...]) -> None:
    """The overview says that nothing is recorded and what to do; the other pages answer too."""
    text = empty.get("/", *everyone).text
    assert "Nothing recorded yet" in text
    assert "spanwatch replay" in text
    for path in ("/findings", "/attempts", "/devices", "/health"):
        assert empty.get(path, *everyone).status_code == 200


EVIL = "<script>alert(1)</script>\u202egnp\x00'\"{{7*7}}"


def test_text_from_the_wire_is_only_text(scratch: Running, everyone: tuple[str, ...]) -> None:
    """Markup, bidi overrides, controls and template code in names are shown as characters."""
    put(scratch.store, "sightings", [
        {"ts": NINE + SECOND, "source": "mdns", "mac": MACS[OFFICE], "ip": OFFICE, "name": EVIL,
         "value": EVIL, "attributes": [(EVIL, EVIL)], "sensor": EVIL, "site": "main"},
    ])  # fmt: skip
    put(scratch.store, "attempts", [attempt(60, OFFICE, EVIL, "partial", ["social_media"])])
    put(scratch.store, "batches", [
        {"sensor": EVIL, "boot": "e", "sequence": 0, "records": "flows", "rows": 1, "first": NINE,
         "last": NINE + 600 * SECOND, "inserted": NINE},
    ])  # fmt: skip
    put(scratch.store, "flows", [flow(70, OFFICE, service=EVIL, sensor=EVIL)])
    asked = "from=2026-03-02T17:00:00Z&to=2026-03-02T17:10:00Z"
    device = mac_text(MACS[OFFICE])
    for path in ("/", "/attempts", "/devices", f"/devices/{device}", f"/hosts/{OFFICE}", "/health"):
        text = scratch.get(f"{path}?{asked}", *everyone).text
        assert "<script>alert" not in text, path
        assert "\u202e" not in text, path
        assert "\x00" not in text, path
        assert "{{7*7}}" in html.unescape(text), path


def test_case_opens_a_host(school: Running) -> None:
    """An investigator's host page needs the case, and its read is logged with it."""
    assert school.get(f"/hosts/{LAPTOP}", "investigator", accept="text/html").status_code == 403
    before = school.logged()
    assert school.get(f"/hosts/{LAPTOP}?case=9", "investigator").status_code == 200
    last = school.store.rows("SELECT * FROM access_log ORDER BY at DESC LIMIT 5")
    assert school.logged() > before
    assert {row["case_reference"] for row in last if row["path"] == f"/hosts/{LAPTOP}"} >= {"9"}


@pytest.fixture
def chromium() -> Iterator:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as play:
        try:
            browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no chromium: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_draws_the_pages(school: Running, everyone: tuple[str, ...], chromium, scheme: str) -> None:
    """Charts are drawn under the strict policy, no other host is asked, and the console stays empty."""
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{school.base}/?token={school.token(*everyone)}")
    assert page.url == f"{school.base}/"
    drawn = "[...document.querySelectorAll('figure.chart')].every(f => f.dataset.drawn === 'yes')"
    page.wait_for_function(drawn, timeout=30_000)
    assert page.locator("figure.chart svg .mark-rect path").count() > 20
    assert page.evaluate("document.cookie") == ""
    page.goto(f"{school.base}/hosts/{TABLET}")
    page.wait_for_function(drawn, timeout=30_000)
    assert said == []
    assert all(url.startswith((school.base, "data:")) for url in asked)
    context.close()


@pytest.mark.service
@pytest.mark.slow
def test_pages_fit_a_phone(school: Running, everyone: tuple[str, ...], chromium) -> None:
    """At 380 pixels nothing but tables scrolls sideways, each in its own frame."""
    context = chromium.new_context(viewport={"width": 380, "height": 800})
    page = context.new_page()
    page.goto(f"{school.base}/?token={school.token(*everyone)}")
    page.wait_for_function(
        "[...document.querySelectorAll('figure.chart')].every(f => f.dataset.drawn)", timeout=30_000
    )
    wide = "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 381)"
    loose = f"{wide}.filter(e => !e.closest('.scroll, svg *')).map(e => e.outerHTML.slice(0, 80))"
    assert page.evaluate(loose) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    context.close()
