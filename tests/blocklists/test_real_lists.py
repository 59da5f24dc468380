"""Published lists as they are: what is read of them, and how far others agree."""

import json
import os
import re
from pathlib import Path

import pytest

from blocklists import mappings
from blocklists.entries import Entry, Problem
from blocklists.reading import read_list

REAL = Path(os.environ.get("REAL_LISTS", Path(__file__).parents[3] / "shared" / "lists"))
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="no folder of real lists; set REAL_LISTS")


def names(path, form, part=""):
    return {
        item.name
        for item in read_list(path, form, part=part, categories=("adult",), trusted=True)
        if isinstance(item, Entry) and item.name
    }


def unknown(source, labels):
    known = mappings.meanings(source)
    return sorted(label for label in labels if mappings.key(label) not in known)


def test_every_category_of_ut1_is_mapped():
    """Folders and links of the archive, in French and in English, all stand in the table."""
    folders = {path.name for path in (REAL / "ut1").iterdir() if path.name not in ("README", "global_usage")}
    assert len(folders) > 70
    assert unknown("ut1", folders) == []


def test_every_category_of_v2fly_and_service_of_adguard_is_mapped():
    """Lists that are named as categories, and all services, stand in the table."""
    lists = {path.name for path in (REAL / "v2fly" / "data").glob("category-*")}
    assert unknown("v2fly", lists) == []
    services = json.loads((REAL / "adguard_services" / "services.json").read_text())
    assert unknown("adguard", {service["id"] for service in services}) == []
    assert (
        unknown("nextdns", {path.name for path in (REAL / "nextdns_services" / "services").iterdir()}) == []
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    ["discord", "facebook", "category-vpnservices", "category-doh", "category-games", "category-ads",
     "category-food-cn", "category-porn", "youtube", "category-social-media-cn"],
)  # fmt: skip
def test_includes_lead_where_they_led_others(tmp_path, part):
    """An expanded list is the same as others expanded it, who heed no attributes, but for single labels."""
    theirs = set((REAL / "v2fly_resolved" / f"{part}.txt").read_text().lower().split())
    assert names(REAL / "v2fly", "v2fly", part) <= theirs
    plain = tmp_path / "data"
    plain.mkdir()
    for path in (REAL / "v2fly" / "data").iterdir():
        (plain / path.name).write_text(re.sub(r"(?m)^(include:\S+).*", r"\1", path.read_text()))
    assert names(plain, "v2fly", part) == {name for name in theirs if "." in name}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "form", "least", "refused"),
    [
        ("ut1", "squidguard", 500_000, 5),
        ("v2fly", "v2fly", 20_000, 0),
        ("nextdns_services", "nextdns", 400, 0),
        ("adguard_services/services.json", "adguard_services", 2_300, 0),
        ("doh/doh-ipv4.txt", "doh", 1_900, 0),
        ("tor/tor-nodes.lst", "tor_exits", 8_000, 0),
        ("vpn/x4bnet-vpn_output_vpn_ipv4.txt", "addresses", 10_000, 0),
        ("vpn/vpn-az0_data_input_hostname_only_misc.txt", "adblock", 600, 0),
    ],
)
def test_nearly_all_of_a_published_list_is_read(path, form, least, refused):
    """Of real lists of every shape next to nothing is refused, and nothing is unknown to the mapping."""
    found = list(read_list(REAL / path, form))
    assert sum(isinstance(item, Entry) for item in found) >= least
    problems = [item for item in found if isinstance(item, Problem)]
    assert sum(problem.lines for problem in problems if problem.kind == "refused") <= refused
    if form != "v2fly":
        assert [problem.what for problem in problems if problem.kind == "unmapped"] == []


@pytest.mark.parametrize(
    ("path", "group", "name"),
    [
        ("adult_hosts/sinfonietta_gambling-hosts.txt", "sinfonietta", "gambling-hosts"),
        ("adult_hosts/sinfonietta_snuff-hosts.txt", "sinfonietta", "snuff-hosts"),
        ("adult_hosts/sinfonietta_social-hosts.txt", "sinfonietta", "social-hosts"),
    ],
)
def test_hosts_files_have_as_many_names_as_others_counted(path, group, name):
    """Loopback lines left out, a hosts file gives the names that others counted, one in a thousand aside."""
    counted = json.loads((REAL / "reference" / "counts.json").read_text())[group][name]["domains"]
    assert abs(len(names(REAL / path, "hosts")) - counted) <= counted / 1_000
