"""Who uses the link: players with and without a name, quotas, elephants, and what moves much every day."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab import servers, traffic
from tests.lab.detectors.judge import STARTER
from tests.lab.detectors.scenario import Expectation, Scenario, Truth
from tests.lab.network import Lab

FILM_S = 76
#: Servers of the lab's internet (tests/lab/services.tsv), asked by address: no name is sent.
CDN, CDN2, CDN3, PHOTOS = "198.51.100.30", "198.51.100.31", "198.51.100.32", "198.51.100.33"
#: The public name of encrypted client hellos.
SHARED_NAME = "cloudflare-ech.com"
BIG = 130_000_000


SITE = tomllib.loads(STARTER.read_text("utf-8"))["sites"][0]


def _www(lab: Lab) -> Path:
    return lab.path / "www"


def _file(lab: Lab, name: str, size: int) -> None:
    with open(_www(lab) / name, "wb") as file:
        file.truncate(size)


def school_with_films(lab: Lab) -> None:
    """The school, a film as HLS (4 s, 2.5 Mb/s) and one as DASH (2 s, 3 Mb/s, sound beside it)."""
    servers.start_school(lab)
    traffic.make_video(lab, FILM_S)
    folder = _www(lab) / "dash"
    folder.mkdir()
    picture = ["-f", "lavfi", "-i", "testsrc2=size=480x270:rate=15,noise=alls=60:allf=t"]
    sound = ["-f", "lavfi", "-i", "sine=frequency=440"]
    coded = ["-c:v", "mpeg4", "-b:v", "3M", "-minrate", "3M", "-maxrate", "3M", "-bufsize", "3M", "-g", "30"]
    subprocess.run(
        ["ffmpeg", "-v", "error", *picture, *sound, "-t", str(FILM_S), *coded, "-c:a", "aac", "-b:a", "96k",
         "-seg_duration", "2", "-f", "dash", str(folder / "film.mpd")],
        check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=300,
    )  # fmt: skip
    _file(lab, "big.iso", BIG)
    for number in range(20):
        _file(lab, f"picture{number}.jpg", 60_000)


def fetched(said: str, least: int) -> str:
    """What curl said of its transfers; raises RuntimeError where fewer than `least` were delivered."""
    lines = said.splitlines()
    done = sum(line.startswith(("200 ", "201 ", "204 ", "206 ")) for line in lines)
    if done < least:
        raise RuntimeError(f"{done} of {least} transfers: {lines[-1:]}")
    return f"{done} transfers\n"


def together(*acts: Callable[[], str]) -> str:
    """Does all of them at the same time; what they said."""
    with ThreadPoolExecutor(len(acts)) as pool:
        return "".join(run.result() for run in [pool.submit(act) for act in acts])


def paced(lab: Lab, host: str, urls: Sequence[str], per_minute: float, *options: str) -> str:
    """Fetches over one connection, one transfer after another, so many a minute."""
    seconds = len(urls) * 60 / per_minute + 30
    rate = f"{round(per_minute * 60)}/h"
    return fetched(traffic.fetch(lab, host, urls, "--rate", rate, *options, timeout=seconds), len(urls))


def segments(host: str, count: int) -> list[str]:
    return [f"https://{host}/video/index{number}.ts" for number in range(count)]


def dash(host: str, count: int) -> list[str]:
    kinds = [(number, stream) for number in range(1, count + 1) for stream in (0, 1)]
    return [f"https://{host}/dash/chunk-stream{stream}-{number:05}.m4s" for number, stream in kinds]


def players_without_a_name(lab: Lab) -> Truth:
    """HLS over one connection, DASH under the name of encrypted hellos, HLS with a connection a segment."""
    for name, last in (("hls", 51), ("dash", 52), ("apart", 53)):
        lab.host(name, "students", address=f"10.20.0.{last}")
    shared = ["--connect-to", f"{SHARED_NAME}:443:{CDN2}:443"]
    apart = ["--http1.1", "-H", "Connection: close"]
    said = together(
        lambda: paced(lab, "hls", segments(CDN, 18), 15),
        lambda: paced(lab, "dash", dash(SHARED_NAME, 34), 60, *shared),
        lambda: paced(lab, "apart", segments(CDN3, 18), 15, *apart),
    )
    return Truth(said=said)


def call(lab: Lab, host: str, server: str, port: int, seconds: int) -> str:
    """A film both ways between a host and a server at its own speed, as MPEG-TS in RTP (RFC 2250)."""
    film = str(_www(lab) / "video" / "index.m3u8")
    play = ["ffmpeg", "-v", "error", "-re", "-i", film, "-t", str(seconds), "-c", "copy", "-f", "rtp_mpegts"]
    client = lab.address(host)
    up = f"rtp://{server}:{port}?localrtpport={port + 2}&localrtcpport={port + 3}"
    down = f"rtp://{client}:{port + 2}?localrtpport={port}&localrtcpport={port + 1}&localaddr={server}"
    sides = [
        lab.start(host, [*play, up], f"{host}-call.log"),
        lab.start("internet", [*play, down], f"{host}-called.log"),
    ]
    for side, log in zip(sides, ("call", "called"), strict=True):
        if side.wait(seconds + 30):
            raise RuntimeError(f"the call broke off: {(lab.path / f'{host}-{log}.log').read_text()[-200:]}")
    return "a call\n"


def pages_with_pictures(lab: Lab, host: str, server: str, pages: int) -> str:
    """Twenty pictures of 60 kB at once, again and again, with 9 s to look at them."""
    urls = [f"https://{server}/picture{number}.jpg" for number in range(20)]
    said = ""
    for _ in range(pages):
        said += traffic.fetch(lab, host, urls, "--parallel")
        lab.run(host, ["sleep", "8.5"])
    return fetched(said, pages * len(urls))


def steady_others(lab: Lab) -> Truth:
    """What moves much and is no streaming, or has a name."""
    names = ("bulk", "backup", "caller", "updates", "parts", "radio", "reader", "lesson")
    for last, name in enumerate(names, 61):
        lab.host(name, "students", address=f"10.20.0.{last}")
    update = "https://dl.delivery.mp.windowsupdate.com/update.cab"
    part_urls = [f"https://{CDN2}/big.iso?{part}" for part in range(20)]
    said = together(
        lambda: fetched(traffic.fetch(lab, "bulk", [f"https://{CDN}/big.iso"], "--limit-rate", "400k", "-r",
                                      "0-27999999", timeout=90), 1),
        lambda: fetched(traffic.upload(lab, "backup", "www.wikipedia.org", 60_000_000), 1),
        lambda: call(lab, "caller", "198.51.100.43", 40_000, 70),
        lambda: paced(lab, "updates", [f"{update}?{part}" for part in range(20)], 17, "-r", "0-999999"),
        lambda: fetched(traffic.fetch(lab, "parts", part_urls, "-r", "0-2999999", timeout=90), 20),
        lambda: paced(lab, "radio", [f"https://{CDN3}/song.ogg?{n}" for n in range(7)], 6),
        lambda: pages_with_pictures(lab, "reader", PHOTOS, 7),
        lambda: paced(lab, "lesson", [f"https://www.khanacademy.org/photo2.jpg?{n}" for n in range(18)], 15),
    )  # fmt: skip
    return Truth(said=said)


def share_of_the_link(lab: Lab) -> Truth:
    """A student watches at 2.5 Mb/s beside a slow download; a member of staff watches as much."""
    lab.host("viewer", "students", address="10.20.0.71")
    lab.host("teacher", "staff", address="10.30.0.71")
    lab.host("other", "students", address="10.20.0.72")
    said = together(
        lambda: paced(lab, "viewer", segments("www.youtube.com", 18) + segments("www.youtube.com", 18), 30),
        lambda: paced(lab, "teacher", segments("www.youtube.com", 18), 15),
        lambda: fetched(traffic.download(lab, "other", "www.nasa.gov", "update.cab", "200k"), 1),
    )
    return Truth(said=said)


QUOTAS = {
    "quotas": [
        {"groups": ["students"], "bytes_per_day": 30_000_000, "clause": "S9a"},
        {"groups": ["guests"], "bytes_per_lesson": 20_000_000, "clause": "S9a"},
        {"groups": ["staff"], "mbps": 2, "burst_megabytes": 20, "clause": "S9a"},
    ]
}


def quotas(lab: Lab) -> Truth:
    """Of each group one host above its quota, and one just below it."""
    sizes = {
        "student1": ("students", "10.20.0.81", 32), "student2": ("students", "10.20.0.82", 27),
        "guest1": ("guests", "10.40.0.81", 22), "guest2": ("guests", "10.40.0.82", 18),
        "staff1": ("staff", "10.30.0.81", 40), "staff2": ("staff", "10.30.0.82", 30),
    }  # fmt: skip

    def load(name: str, megabytes: int) -> str:
        last = megabytes * 1_000_000 - 1
        url = f"https://{CDN}/big.iso"
        return fetched(traffic.fetch(lab, name, [url], "-r", f"0-{last}", "--limit-rate", "6M"), 1)

    for name, (vlan, address, _) in sizes.items():
        lab.host(name, vlan, address=address)
    said = together(*(lambda n=name, m=row[2]: load(n, m) for name, row in sizes.items()))
    return Truth(said=said)


def elephants(lab: Lab) -> Truth:
    """130 MB as fast as it goes: from a server without a name, from Windows Update, and at 30 Mb/s."""
    for name, last in (("elephant", 91), ("updated", 92), ("slow", 93)):
        lab.host(name, "students", address=f"10.20.0.{last}")
    said = fetched(traffic.fetch(lab, "elephant", [f"https://{CDN}/big.iso"], timeout=90), 1)
    named = "https://dl.delivery.mp.windowsupdate.com/big.iso"
    said += fetched(traffic.fetch(lab, "updated", [named], timeout=90), 1)
    said += fetched(
        traffic.fetch(lab, "slow", [f"https://{CDN2}/big.iso"], "--limit-rate", "3500k", timeout=90), 1
    )
    return Truth(said=said)


def hours(lab: Lab) -> Truth:
    """A download, a call and a connection that waits for news, each open all the time."""
    for name, last in (("download", 101), ("caller", 102), ("waiting", 103)):
        lab.host(name, "students", address=f"10.20.0.{last}")

    def wait() -> str:
        hold = f"sleep 66 | openssl s_client -quiet -connect {CDN2}:443"
        lab.run("waiting", ["sh", "-c", hold], check=False, timeout=90)
        return "waited\n"

    url = f"https://{CDN}/big.iso"
    said = together(
        lambda: fetched(traffic.fetch(lab, "download", [url], "-r", "0-98999999", "--limit-rate", "1500k",
                                      timeout=90), 1),
        lambda: call(lab, "caller", "198.51.100.43", 40_000, 64),
        wait,
    )  # fmt: skip
    return Truth(said=said)


SCENARIOS = (
    Scenario(
        "bandwidth_without_a_name",
        "HLS over one connection, DASH behind an encrypted hello's name, HLS with a connection a segment "
        "(ffmpeg, nginx, curl), 70 s",
        players_without_a_name,
        [Expectation("adaptive_streaming", f"10.20.0.{last}") for last in (51, 52, 53)],
        prepare=school_with_films,
        needs=["ffmpeg"],
    ),
    Scenario(
        "bandwidth_steady",
        "70 s of a slow download, a backup, a call, an update in parts with pauses (named) and without, "
        "sound, pages of pictures",
        steady_others,
        prepare=school_with_films,
        needs=["ffmpeg"],
    ),
    Scenario(
        "bandwidth_share",
        "a student's video, 5 Mb/s of 8 Mb/s; staff may",
        share_of_the_link,
        [Expectation("streaming_share", "10.20.0.71")],
        prepare=school_with_films,
        needs=["ffmpeg"],
    ),
    Scenario(
        "bandwidth_quotas",
        "quotas a day, a lesson and a rate with a burst allowance: of each one host above, one below",
        quotas,
        [
            Expectation("daily_quota", "10.20.0.81"),
            Expectation("lesson_quota", "10.40.0.81"),
            Expectation("sustained_rate", "10.30.0.81"),
        ],
        policy=QUOTAS,
        prepare=school_with_films,
        needs=["ffmpeg"],
    ),
    Scenario(
        "bandwidth_elephants",
        "130 MB at full speed, from Windows Update too, and at 28 Mb/s",
        elephants,
        [Expectation("elephant_flow", "10.20.0.91")],
        prepare=school_with_films,
        needs=["ffmpeg"],
    ),
    Scenario(
        "bandwidth_hours",
        "a download of 66 s told as 40 min, on a link as fast as that, a call and an idle connection beside",
        hours,
        [Expectation("long_flow", "10.20.0.101"), Expectation("link_load", "{site}")],
        policy={"thresholds": {"long_flow": {"megabytes_min": 20}}, "sites": [SITE | {"link_mbps": 0.35}]},
        prepare=school_with_films,
        stretch=36,
        needs=["ffmpeg"],
    ),
)
