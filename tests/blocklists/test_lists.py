"""Folders of lists, the starter lists, and what is said about broken ones."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from blocklists import lists, taxonomy
from blocklists.lists import (
    COMPILED,
    STARTER,
    check,
    compile_lists,
    current_version,
    guess_format,
    load_matcher,
    show,
)
from blocklists.reading import NAMES
from blocklists.sources import ListError, ListFile, read_sources
from tests.blocklists.lists_made import folder as made

REAL = Path(os.environ.get("REAL_LISTS", Path(__file__).parents[3] / "shared" / "lists"))
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="no folder of real lists; set REAL_LISTS")


@pytest.fixture(scope="module")
def starter():
    return load_matcher()


@pytest.fixture
def folder(tmp_path):
    """Writes a folder of lists: file name → (format, categories, content)."""

    def write(files, more=""):
        text = more
        for name, (form, categories, content) in files.items():
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
            text += f'[[lists]]\nname = "{name}"\nfile = "{name}"\nformat = "{form}"\n'
            text += f"categories = {json.dumps(categories)}\n"
        (tmp_path / "sources.toml").write_text(text)
        return tmp_path

    return write


def test_the_starter_lists_are_good():
    """Every line of every starter list gives an entry."""
    for report in check():
        assert report.messages() == []
        assert report.good


def test_the_starter_lists_name_nothing_twice_within_a_list():
    """No starter list repeats a name."""
    for listed in read_sources(STARTER)[0]:
        report = lists.Report(STARTER / listed.file, listed)
        names = [entry.name or str(entry.network) for entry in lists.entries(report)]
        assert len(names) == len(set(names)), listed.name


@pytest.mark.parametrize(
    ("name", "category", "service"),
    [
        ("www.youtube.com", "streaming_video", "YouTube"),
        ("rr3---sn-a5mekn7z.googlevideo.com", "streaming_video", "YouTube"),
        ("i.ytimg.com", "streaming_video", "YouTube"),
        ("v16-webapp.tiktok.com", "social_media", "TikTok"),
        ("scontent.cdninstagram.com", "social_media", "Instagram"),
        ("static.xx.fbcdn.net", "social_media", "Facebook"),
        ("ipv4-c001-lax001-ix.1.oca.nflxvideo.net", "streaming_video", "Netflix"),
        ("video-edge.abs.hls.ttvnw.net", "streaming_video", "Twitch"),
        ("audio-ak.spotify.scdn.co", "streaming_music", "Spotify"),
        ("www.roblox.com", "games", "Roblox"),
        ("www.pornhub.com", "adult", ""),
        ("www.dropbox.com", "cloud_storage", "Dropbox"),
        ("api.nordvpn.com", "vpn", "NordVPN"),
        ("dns.google", "doh", "Google Public DNS"),
        ("chatgpt.com", "generative_ai", "ChatGPT"),
        ("www.tinder.com", "dating", "Tinder"),
        ("www.bet365.com", "gambling", "Bet365"),
    ],
)
def test_the_starter_lists_know_the_well_known(starter, name, category, service):
    """The names a school meets first have their category and service."""
    labels = starter.labels(name)
    assert taxonomy.names_of(labels.mask) == [category]
    assert labels.service == service


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("au.download.windowsupdate.com", "Windows Update"),
        ("us04web.zoom.us", "Zoom"),
        ("teams.microsoft.com", "Microsoft Teams"),
        ("f001.backblazeb2.com", "Backblaze"),
        ("www.khanacademy.org", "Khan Academy"),
    ],
)
def test_services_without_a_category_are_named(starter, name, service):
    """Updates, conferences, backups and learning have a service and no category."""
    assert starter.labels(name) == (0, service)


def test_a_folder_adds_to_the_starter(folder):
    """Names of a folder's lists and of the starter are known; exceptions hold for the list's category."""
    path = folder(
        {
            "a.txt": ("domains", ["games"], "one.example.org\nyoutube.com\n"),
            "b.txt": ("adblock", ["games"], "||two.example.org^\n@@||ok.two.example.org^\n"),
        }
    )
    matcher = load_matcher(path)
    assert taxonomy.names_of(matcher.labels("one.example.org").mask) == ["games"]
    assert taxonomy.names_of(matcher.labels("youtube.com").mask) == ["games", "streaming_video"]
    assert matcher.labels("x.two.example.org").mask
    assert not matcher.labels("ok.two.example.org").mask


def test_an_allow_list_wins(folder):
    """What an allow list names carries no category, whatever other lists say."""
    path = folder({"b.txt": ("domains", ["games"], "a.one.example.org\n")})
    with open(path / "sources.toml", "a") as file:
        file.write('[[lists]]\nname = "ours"\nfile = "ours.txt"\nallow = true\n')
    (path / "ours.txt").write_text("one.example.org\ntiktok.com\n")
    matcher = load_matcher(path)
    assert matcher.labels("a.one.example.org").mask == 0
    assert matcher.labels("www.tiktok.com") == (0, "TikTok")


def test_the_compiled_file_is_used_and_renewed(folder):
    """The second start opens the compiled file; a changed list, or a damaged file, compiles anew."""
    path = folder({"a.txt": ("domains", ["games"], "one.example.org\n")})
    first = load_matcher(path)
    stamp = (path / COMPILED).stat().st_mtime_ns
    assert load_matcher(path).version == first.version == current_version(path)
    assert (path / COMPILED).stat().st_mtime_ns == stamp
    (path / "a.txt").write_text("two.example.org\n")
    assert load_matcher(path).labels("two.example.org").mask
    good, version = (path / COMPILED).read_bytes(), current_version(path)
    assert not load_matcher(path).lookup("two.example.org").origins[0].since.or_earlier
    (path / COMPILED).write_bytes(good[:-7] + b"damaged")
    renewed = load_matcher(path)
    assert renewed.version == current_version(path) == version
    assert renewed.lookup("two.example.org").origins[0].since.or_earlier


def test_since_when_survives_an_update(folder):
    """A name that stays on its list keeps the version and time since when; a new one has the new version."""
    path = folder({"a.txt": ("domains", ["games"], "one.example.org\n")})
    first = load_matcher(path).version
    (path / "a.txt").write_text("two.example.org\none.example.org\n")
    matcher = load_matcher(path)
    one, two = (matcher.lookup(f"{name}.example.org").origins[0] for name in ("one", "two"))
    assert (one.line, one.since.version) == (2, first)
    assert (two.line, two.since.version) == (1, matcher.version)
    assert two.since.at >= one.since.at > 1_700_000_000
    (source,) = (source for source in matcher.sources if source.name == "a.txt")
    assert (source.added, source.removed) == (1, 0)
    assert all(since.version == first for since in [load_matcher(path).lookup("tiktok.com").origins[0].since])


def test_what_takes_categories_away_is_told(folder):
    """A name under an exception tells which categories it would carry and which lines take them."""
    path = folder({"b.txt": ("adblock", ["games"], "||two.example.org^\n@@||ok.two.example.org^\n")})
    with open(path / "sources.toml", "a") as file:
        file.write('[[lists]]\nname = "ours"\nfile = "ours.txt"\nallow = true\n')
    (path / "ours.txt").write_text("youtube.com\n")
    matcher = load_matcher(path)
    found = matcher.lookup("www.ok.two.example.org")
    assert (found.categories, found.taken) == ([], ["games"])
    assert [(o.line, o.exception, o.categories) for o in found.origins] == [
        (2, True, ["games"]), (1, False, ["games"]),
    ]  # fmt: skip
    found = matcher.lookup("www.youtube.com")
    assert (found.categories, found.taken) == ([], ["streaming_video"])
    assert [o.source.name for o in found.origins if o.exception] == ["ours"]
    assert matcher.lookup("two.example.org").taken == []


def test_addresses_are_explained(folder):
    """An address tells the longest listed network, its ports, and every list that names one around it."""
    path = folder(
        {
            "wide": ("addresses", ["vpn"], "# x\n198.51.100.0/24\n2001:db8::/32\n"),
            "narrow": ("addresses", ["tor"], "198.51.100.7\n"),
        }
    )
    matcher = load_matcher(path)
    found = matcher.lookup("198.51.100.7")
    assert (found.name, found.matched, found.categories) == ("198.51.100.7", "198.51.100.7/32", ["tor"])
    assert [(o.name, o.source.name, o.line) for o in found.origins] == [
        ("198.51.100.7/32", "narrow", 1), ("198.51.100.0/24", "wide", 2),
    ]  # fmt: skip
    assert matcher.lookup("::ffff:198.51.100.8").matched == "198.51.100.0/24"
    assert matcher.lookup("2001:DB8::1").categories == ["vpn"]
    assert matcher.lookup("203.0.113.1").origins == []
    resolver = matcher.lookup("8.8.8.8")
    assert resolver.categories == ["doh"]
    assert 443 in resolver.ports
    assert 53 not in resolver.ports
    assert resolver.origins[0].since.at > 0


def test_an_address_among_names_is_about_its_categorys_ports(folder):
    """An address in a list of encrypted DNS says nothing about plain DNS; one of a VPN is about all ports."""
    path = folder(
        {
            "doh.txt": ("domains", ["doh"], "dns.example\n198.51.100.7\n"),
            "vpn.txt": ("domains", ["vpn"], "198.51.100.8\n"),
        }
    )
    matcher = load_matcher(path)
    packed = [b"\0" * 10 + b"\xff\xff" + bytes([198, 51, 100, last]) for last in (7, 7, 8)]
    found = matcher.address_set_ids(pa.array(packed, pa.binary(16)), np.array([443, 53, 53]))
    told = [taxonomy.names_of(matcher.sets[number].mask) if number >= 0 else None for number in found]
    assert told == [["doh"], None, ["vpn"]]
    assert 443 in matcher.lookup("198.51.100.7").ports


def test_bad_lines_are_left_out_and_reported(folder):
    """A public suffix and a broken line don't stop a list; both are named with file and line."""
    path = folder(
        {"a.txt": ("domains", ["games"], "one.example.org\ncom\nco.uk\nnot a name\ntwo.example.org\n")}
    )
    matcher, reports = compile_lists([path])
    assert matcher.labels("one.example.org").mask
    assert matcher.labels("two.example.org").mask
    assert not matcher.labels("other.co.uk").mask
    (report,) = reports
    assert [(p.line, p.kind) for p in report.problems] == [(2, "held"), (3, "held"), (4, "refused")]
    assert not report.good, "one line of six is refused"
    assert report.messages()[0].startswith(f"{path / 'a.txt'}:2: held: 'com' is a whole top-level domain; ")


def test_fifty_megabytes_of_binary_are_refused_early(tmp_path):
    """A large binary file is refused in one line, after its first lines, not after all of it."""
    path = tmp_path / "x.bin"
    with open(path, "wb") as file:
        block = os.urandom(1 << 20)
        for _ in range(50):
            file.write(block)
    (report,) = check(path)
    assert not report.good
    assert report.lines < 10_000
    said = report.messages()[-1]
    assert "no entry at all" in said or "no list of format" in said


@pytest.mark.parametrize(
    "content",
    ["\nthis is prose\n", "0.0.0.0 example.org\n" + "this is prose\n" * 5_000],
    ids=["short", "long"],
)
def test_a_list_that_is_none_stops_the_load(folder, content):
    """A file of which most is refused is no list: loading names it instead of running without it."""
    path = folder({"a.txt": ("hosts", ["games"], content)})
    with pytest.raises(ListError, match=r"a\.txt:2: no list of format 'hosts'"):
        load_matcher(path)


def test_a_missing_file_of_ones_own_stops_the_load(tmp_path):
    """A file that the table names and that isn't there is said with its name."""
    (tmp_path / "sources.toml").write_text('[[lists]]\nname = "a"\nfile = "none.txt"\n')
    with pytest.raises(ListError, match=r"none\.txt: cannot read the list"):
        load_matcher(tmp_path)


def test_addresses_answer_for_their_ports(starter):
    """A public resolver's address is encrypted DNS on 443 and 853, not on 53."""
    google = b"\0" * 10 + b"\xff\xff" + bytes([8, 8, 8, 8])
    found = starter.address_set_ids(pa.array([google] * 3, pa.binary(16)), np.array([443, 853, 53]))
    assert found[0] == found[1] >= 0
    assert taxonomy.names_of(starter.sets[found[0]].mask) == ["doh"]
    assert found[2] == -1


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ("example.org\nexample.net\n", "domains"),
        ("0.0.0.0 example.org\n127.0.0.1 example.net\n", "hosts"),
        ("! t\n||example.org^\n@@||example.net^\n", "adblock"),
        ("address=/example.org/\nlocal=/example.net/\n", "dnsmasq"),
        ("$TTL 1\nexample.org CNAME .\nexample.net CNAME .\n", "rpz"),
        ("10.0.0.0/8\n192.0.2.1\n", "addresses"),
        (
            '[{"id": "tiktok",' + " " * 300_000 + '"rules": ["||a.example.org^", "||b.example.org^"]}]',
            "adguard_services",
        ),
        ("AS64500 # one\n10.0.0.0/8\n192.0.2.1\n", "addresses"),
    ],
)
def test_a_format_is_guessed(tmp_path, content, form):
    """A lone file is read in the format that understands it."""
    (tmp_path / "x").write_text(content)
    assert guess_format(tmp_path / "x") == form
    (report,) = check(tmp_path / "x")
    assert report.good
    assert report.entries == 2


def test_a_tree_that_begins_with_what_is_skipped(tmp_path):
    """Category folders are told by their files, though the first hundreds of lines are about pages alone."""
    pages = b"".join(b"pages.example.org/%d\n" % number for number in range(500))
    files = {"adult/urls": pages, "gambling/domains": b"example.org\n", "README": b"about\n"}
    assert guess_format(made(tmp_path, files)) == "squidguard"


def test_show_names_every_list(starter):
    """Each list in force has a name, a digest and its count of entries."""
    shown = show(starter)
    assert len({row["name"] for row in shown}) == len(shown)
    assert all(len(row["sha256"]) == 64 and row["entries"] > 0 for row in shown)


def test_every_category_of_the_starter_is_in_the_taxonomy():
    """Every list's categories exist and no starter list carries a withheld one."""
    for listed in read_sources(STARTER)[0]:
        assert not taxonomy.mask_of(listed.categories) & taxonomy.WITHHELD_MASK
        assert listed.format in NAMES


#: What nDPI calls the categories that our starter lists cover.
NDPI = {
    "SOCIAL_NETWORK": {"social_media", "chat", "dating", "streaming_video"},
    "VIDEO": {"streaming_video", "streaming_music", "social_media", "shopping", "games"},
    "STREAMING": {"streaming_video", "streaming_music", "social_media", "shopping", "games"},
    "MUSIC": {"streaming_music", "streaming_video"},
    "GAME": {"games", "chat"},
    "VPN": {"vpn", "proxy", "tor", "remote_access"},
    "CHAT": {"chat", "social_media", "webmail"},
    "ADULT_CONTENT": {"adult"},
    "GAMBLING": {"gambling"},
}


@needs_real
def test_agrees_with_ndpi_where_both_speak(starter):
    """Where nDPI's host table and the starter lists both give a category, at least 95 % agree."""
    agreed, differed = 0, []
    for pair in json.loads((REAL / "reference" / "ndpi_host_match.json").read_text()):
        expected = NDPI.get(pair["category"])
        ours = set(taxonomy.names_of(starter.labels(pair["domain"].lstrip(".")).mask))
        if expected and ours:
            if ours & expected:
                agreed += 1
            else:
                differed.append((pair["domain"], pair["category"], ours))
    assert agreed >= 100
    assert agreed / (agreed + len(differed)) >= 0.95, differed


@needs_real
@pytest.mark.slow
def test_no_popular_name_is_caught_by_accident(starter):
    """Of 233,506 popular registered names, those that carry a category are themselves on a list, and few."""
    names = (REAL / "reference" / "benign_top_ranked.list").read_text().split()
    labelled = [name for name in names if starter.labels(name).mask]
    assert len(names) > 100_000
    assert [name for name in labelled if starter.lookup(name).matched != name] == []
    assert len(labelled) / len(names) < 0.005


@needs_real
@pytest.mark.slow
def test_real_lists_are_read_as_they_are():
    """Published lists of several formats give their entries with few refused lines."""
    for path, form, least in [
        (REAL / "adult_hosts" / "sinfonietta_pornography-hosts.txt", "hosts", 50_000),
        (REAL / "adult_hosts" / "4skin_hosts.txt", "hosts", 80_000),
        (REAL / "ut1" / "games" / "domains", "domains", 20_000),
        (REAL / "ut1" / "gambling" / "domains", "domains", 20_000),
        (REAL / "doh" / "doh-domains.txt", "domains", 500),
        (REAL / "doh" / "doh-ipv4.txt", "addresses", 1_000),
    ]:
        report = lists.Report(path, ListFile(name="x", file=path.name, format=form))
        for _ in lists.entries(report):
            pass
        assert report.entries >= least, path
        assert report.counts["refused"] < 0.02 * report.entries, report.messages()[:5]


def test_what_no_format_understands_is_taken_for_names(tmp_path):
    """Lines of a megabyte, zeros and a lone suffix are reported as lines of a list of names."""
    for content, said in [
        (b"a" * (1 << 20) + b"\n", "longer than"), (b"\0\n" * 50, "binary data"),
        (b"com\n", "top-level domain"),
    ]:  # fmt: skip
        (tmp_path / "x").write_bytes(content)
        assert guess_format(tmp_path / "x") == "domains"
        (report,) = check(tmp_path / "x")
        assert said in report.messages()[0]
