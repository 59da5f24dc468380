"""Who takes more of the line than is theirs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.classifiers.conftest import START

HOST = "10.20.0.66"


def stream(scribe: Any, mbps: float, others: float, minutes: int = 5, **values: Any) -> None:
    for minute in range(minutes):
        scribe.flow(
            minute * 60, "10.20.0.15", "203.0.113.9", bytes_down=int(mbps * 1e6 / 8 * 60), service="youtube",
            categories=["streaming_video"], **{"group": "students", **values},
        )  # fmt: skip
        scribe.flow(minute * 60, "10.20.0.16", "203.0.113.8", bytes_down=int(others * 1e6 / 8 * 60))


@pytest.mark.parametrize(
    ("mbps", "others", "values", "found"),
    [
        (3, 3, {}, 1),
        (3, 10, {}, 0),
        (0.9, 0.1, {}, 0),
        (3, 3, {"group": "staff"}, 0),
        (3, 3, {"categories": ["education"]}, 0),
    ],
)
def test_streaming_share_of_the_link(scribe, mbps, others, values, found):
    """Streaming above the group's share and a megabit a second; other groups and traffic are left alone."""
    values = dict(values)
    categories = values.pop("categories", None)
    if categories:
        for minute in range(5):
            scribe.flow(
                minute * 60, "10.20.0.15", "203.0.113.9", bytes_down=22_500_000, categories=categories
            )
    else:
        stream(scribe, mbps, others, **values)
    findings = scribe.detect("streaming_share")
    assert [row["subject"] for row in findings] == ["10.20.0.15"] * found
    if found:
        assert findings[0]["inputs"]["mbps"] == 3
        assert findings[0]["inputs"]["allowed_percent"] == 25
        assert "youtube" in findings[0]["statement"]


@pytest.mark.parametrize(("megabytes", "lasts", "found"), [(120, 10, 1), (99, 5, 0), (120, 25, 0)])
def test_elephant_flow(scribe, megabytes, lasts, found):
    """More than 100 MB at more than 50 Mb/s."""
    scribe.flow(0, HOST, "203.0.113.1", bytes_down=megabytes * 10**6, lasts=lasts, server_name="cdn.example")
    findings = scribe.detect("elephant_flow")
    assert len(findings) == found
    if found:
        assert "cdn.example" in findings[0]["statement"]


def us(seconds: float) -> int:
    """Event time of so many seconds after the start."""
    return int((START + timedelta(seconds=seconds)).timestamp() * 1_000_000)


def share_of(
    scribe: Any, megabytes: float, seconds: float = 60, client: str = "10.20.0.15", **values: Any
) -> None:
    """Streaming video of a student, in one minute."""
    scribe.flow(
        seconds, client, "203.0.113.9", bytes_down=int(megabytes * 0.9e6), bytes_up=int(megabytes * 0.1e6),
        **{"group": "students", "service": "YouTube", "categories": ["streaming_video"], "name_source": "sni",
           **values},
    )  # fmt: skip


HOUR = 3_600
GIGABYTE_A_DAY = [
    {"groups": ["students"], "categories": ["streaming_video"], "bytes_per_day": 10**9, "clause": ""}
]


def at_zone(zone: str, **calendar: Any) -> list[dict[str, Any]]:
    return [{"id": "demo", "subnets": ["10.0.0.0/8"], "time_zone": zone, "calendar": calendar}]


@pytest.mark.parametrize(
    ("zone", "parts", "found"),
    [
        # 10:20 UTC is 02:20 of that day in Los Angeles, which begins at 08:00 UTC.
        ("America/Los_Angeles", [(-2 * HOUR, 600), (60, 600)], 1),
        ("America/Los_Angeles", [(-3 * HOUR, 600), (60, 600)], 0),
        ("UTC", [(-10 * HOUR, 600), (60, 600)], 1),
        ("UTC", [(-11 * HOUR, 600), (60, 600)], 0),
        # Midnight in India is 18:30 UTC, 15 h 50 min before: it cuts an hour of the sums.
        ("Asia/Kolkata", [(-15 * HOUR - 2_940, 600), (60, 600)], 1),
        ("Asia/Kolkata", [(-15 * HOUR - 3_060, 600), (60, 600)], 0),
        ("UTC", [(60, 999), (120, 1)], 0),
        ("UTC", [(60, 1_000), (120, 1)], 1),
    ],
)
def test_daily_quota_by_the_clock_of_the_site(scribe, policy_of, zone, parts, found):
    """More than the quota between two midnights of the site; what came the day before does not count."""
    for seconds, megabytes in parts:
        share_of(scribe, megabytes, seconds)
    findings = scribe.detect("daily_quota", policy=policy_of(quotas=GIGABYTE_A_DAY, sites=at_zone(zone)))
    assert [row["subject"] for row in findings] == ["10.20.0.15"] * found
    if found:
        assert "2026-03-02" in findings[0]["statement"]
        assert "YouTube (sni)" in findings[0]["statement"]
        assert findings[0]["inputs"]["bytes"] == sum(megabytes for _, megabytes in parts) * 1e6


@pytest.mark.parametrize(
    "values",
    [{"group": "staff"}, {"categories": ["education"]}, {"client": "10.20.0.16"}, {"service": "School TV"}],
)
def test_daily_quota_leaves_others_alone(scribe, policy_of, values):
    """Bytes of other groups, categories and hosts, and of sanctioned services, are nobody's quota."""
    share_of(scribe, 900, 60)
    share_of(scribe, 900, 120, **values)
    policy = policy_of(quotas=GIGABYTE_A_DAY, sanctioned={"services": ["School TV"]})
    assert scribe.detect("daily_quota", policy=policy) == []


def test_daily_quota_on_the_day_of_25_hours(scribe, policy_of):
    """A day on which the clock is set back is one day: its first hour and its last are one quota."""
    begin = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)  # midnight in Los Angeles
    first, last = ((begin + timedelta(hours=h, minutes=30) - START).total_seconds() for h in (0, 24))
    share_of(scribe, 600, first)
    share_of(scribe, 600, last)
    share_of(scribe, 600, last + HOUR, client="10.20.0.16")
    share_of(scribe, 600, first, client="10.20.0.16")
    policy = policy_of(quotas=GIGABYTE_A_DAY, sites=at_zone("America/Los_Angeles"))
    scribe.write()
    scribe.detectors("daily_quota", policy=policy).round(us(last - 60), us(last + 2 * HOUR))
    [finding] = scribe.findings()
    assert finding["subject"] == "10.20.0.15"
    assert "2026-11-01" in finding["statement"]


def test_two_days_are_two_findings(scribe, policy_of):
    """Who was above the quota yesterday evening and is so again today is named twice."""
    for day in (0, 1):
        share_of(scribe, 1_200, day * 24 * HOUR)
    policy = policy_of(quotas=GIGABYTE_A_DAY)
    assert len(scribe.detect("daily_quota", policy=policy, seconds=25 * HOUR)) == 2


LESSONS = {"lessons": [{"days": ["mon-fri"], "from": "10:00", "to": "10:45"}]}
A_LESSON = [{"groups": ["*"], "bytes_per_lesson": 200_000_000, "clause": ""}]


@pytest.mark.parametrize(
    ("calendar", "parts", "found"),
    [
        (LESSONS, [(60, 150), (1_200, 60)], 1),
        (LESSONS, [(60, 150), (1_200, 50)], 0),
        # The lesson ends at 10:45, 1,500 s after 10:20; a break, a holiday and a Sunday have no quota.
        (LESSONS, [(60, 150), (1_500, 150)], 0),
        (LESSONS, [(1_500, 300)], 0),
        (LESSONS | {"holidays": [{"from": "2026-03-02", "to": "2026-03-02"}]}, [(60, 300)], 0),
        ({"lessons": [{"days": ["sun"], "from": "10:00", "to": "10:45"}]}, [(60, 300)], 0),
        # Without lessons: by the hour, or as long as the calendar says.
        ({}, [(60, 150), (2_340, 60)], 1),
        ({}, [(60, 150), (2_400, 60)], 0),
        ({"lesson_minutes": 30}, [(60, 150), (660, 60)], 0),
    ],
)
def test_quota_of_a_lesson(scribe, policy_of, calendar, parts, found):
    """More than the quota between the bell and the bell; all traffic, without a category too."""
    for seconds, megabytes in parts:
        share_of(scribe, megabytes, seconds, categories=[], service="", name_source="none")
    policy = policy_of(quotas=A_LESSON, sites=at_zone("UTC", **calendar))
    findings = scribe.detect("lesson_quota", policy=policy, seconds=3_000)
    assert [row["subject"] for row in findings] == ["10.20.0.15"] * found
    if found:
        assert "The most by no service known (none)" in findings[0]["statement"]


RATE = [{"groups": ["students"], "mbps": 4, "burst_megabytes": 100, "clause": ""}]


@pytest.mark.parametrize(
    ("minutes", "found"),
    [
        # A minute at 4 Mb/s is 30 MB: what is above empties the bucket of 100 MB.
        ([120], 0),
        ([131], 1),
        ([60, 60, 60], 0),
        ([60, 60, 60, 60], 1),
        ([60, 60, 60, 0, 60], 0),
        ([30] * 14, 0),
        # A pause fills no more than the bucket holds.
        ([0] * 9 + [131], 1),
    ],
)
def test_rate_with_a_burst_allowance(scribe, policy_of, minutes, found):
    """A token bucket: bursts pass until the allowance is used up, a pause fills it again."""
    for minute, megabytes in enumerate(minutes):
        share_of(scribe, megabytes, minute * 60)
    findings = scribe.detect("sustained_rate", policy=policy_of(quotas=RATE))
    assert [row["subject"] for row in findings] == ["10.20.0.15"] * found


def test_without_quotas_none_is_exceeded(scribe, policy_of):
    """No quota of a kind, no finding, however much is moved."""
    share_of(scribe, 500_000)
    for name in ("daily_quota", "lesson_quota", "sustained_rate"):
        assert scribe.detect(name, policy=policy_of(quotas=[])) == []


def player(
    scribe: Any,
    *,
    bursts: int = 12,
    seconds: int = 60,
    megabytes: float = 30,
    minutes: int = 3,
    **values: Any,
) -> None:
    """One connection that fetches segments, a row a minute."""
    server = values.pop("server", "203.0.113.9")
    down = int(megabytes * 1e6)
    for minute in range(minutes):
        scribe.flow(
            minute * 60, "10.20.0.15", server, lasts=seconds - 1, first=0, flow_id=77, bursts_down=bursts,
            **{"bytes_down": down, "bytes_up": down // 60, "application": "tls", **values},
        )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, 80),
        ({"minutes": 1}, 60),
        ({"application": "quic", "protocol": 17}, 80),
        ({"server_name": "cloudflare-ech.com", "name_source": "sni"}, 80),
        # Just below: bursts, time, both sides' bytes, and the rate from below and above.
        ({"bursts": 7}, 0),
        ({"minutes": 1, "seconds": 45}, 0),
        ({"bytes_up": 1_600_000}, 0),
        ({"megabytes": 2}, 0),
        ({"megabytes": 200}, 0),
        ({"bursts": 61}, 0),
        # Named, inside, or another application.
        ({"server_name": "video.example", "name_source": "dns"}, 0),
        ({"service": "YouTube", "name_source": "none"}, 0),
        ({"server": "10.30.0.5"}, 0),
        ({"application": "rtp"}, 0),
    ],
)
def test_adaptive_streaming_without_a_name(scribe, values, found):
    """Eight answers of 150 kB a minute, each after a pause, over a minute and more; never surer than 80."""
    player(scribe, **values)
    findings = scribe.detect("adaptive_streaming")
    assert [(row["subject"], row["confidence"]) for row in findings] == [("10.20.0.15", found)] * (found > 0)


@pytest.mark.parametrize(("apart", "found"), [(4, 1), (0.05, 0)])
def test_adaptive_streaming_over_many_connections(scribe, apart, found):
    """A connection for each segment is streaming; as many side by side, again and again, are pages."""
    for number in range(30):
        scribe.flow(
            number * apart if found else number // 10 * 30 + number % 10 * apart, "10.20.0.15", "203.0.113.9",
            bursts_down=1, bytes_down=1_000_000, bytes_up=9_000, application="tls", lasts=1,
        )  # fmt: skip
    assert len(scribe.detect("adaptive_streaming")) == found


def open_for(scribe: Any, minutes: int, megabytes: float, **values: Any) -> None:
    """The last ten minutes of a connection that has been open for so long."""
    for minute in range(10):
        scribe.flow(
            minute * 60, HOST, "203.0.113.1",
            **{"first": -minutes * 60, "flow_id": 5, "lasts": 59, "bytes_down": int(megabytes * 1e5),
               "application": "ssh", **values},
        )  # fmt: skip


@pytest.mark.parametrize(
    ("minutes", "megabytes", "values", "found"),
    [
        (15, 510, {}, 1),
        (15, 490, {}, 0),
        (0, 900, {}, 0),
        (90, 110, {}, 1),
        (90, 90, {}, 0),
        (1_500, 11, {}, 1),
        # What waits for news for days, a call, streaming and a backup with a name, what is sanctioned.
        (1_500, 9, {}, 0),
        (90, 400, {"application": "rtp"}, 0),
        (90, 400, {"categories": ["streaming_video"]}, 0),
        (90, 400, {"service": "Backblaze"}, 0),
        (90, 400, {"clause": "sanctioned"}, 0),
    ],
)
def test_long_flow(scribe, minutes, megabytes, values, found):
    """The longer a connection is open, the less it must carry; what waits for news carries less."""
    open_for(scribe, minutes, megabytes, **values)
    findings = scribe.detect("long_flow")
    assert len(findings) == found
    if found:
        assert findings[0]["inputs"]["minutes"] >= minutes
        assert "name from none" in findings[0]["statement"]


@pytest.mark.parametrize(
    "values", [{"service": "Windows Update"}, {"clause": "sanctioned"}, {"application": "rtp"}]
)
def test_elephants_that_are_meant_to_be_there(scribe, values):
    """Updates, backups and calls with a name, and what the organisation provides, are not told of."""
    scribe.flow(0, HOST, "203.0.113.1", bytes_down=500 * 10**6, lasts=20, **values)
    assert scribe.detect("elephant_flow") == []


def load(scribe: Any, mbps: float, minutes: int, since: int = 0) -> None:
    """The link of a site, a row each five minutes."""
    for at in range(since, since + minutes, 5):
        scribe.flow(at * 60, "10.20.0.15", "203.0.113.9", bytes_down=int(mbps * 1e6 / 8 * 300))


@pytest.mark.parametrize(
    ("days", "mbps", "minutes", "found"), [(8, 30, 40, 1), (8, 24, 40, 0), (8, 30, 20, 0), (5, 30, 40, 0)]
)
def test_link_above_its_usual_load(scribe, days, mbps, minutes, found):
    """Half an hour above five quarters of the 95th percentile of the week before; younger links have none."""
    for day in range(-days, 0):
        load(scribe, 20, 120, day * 1_440)
    load(scribe, mbps, minutes)
    findings = scribe.detect("link_load", seconds=3_600)
    assert [row["subject"] for row in findings] == ["demo"] * found
    if found:
        assert findings[0]["inputs"]["usual_mbps"] == 20
        assert "10.20.0.15 30 Mb/s" in findings[0]["statement"]


@pytest.mark.parametrize(("mbps", "found"), [(91, 1), (89, 0)])
def test_link_at_its_declared_speed(scribe, policy_of, mbps, found):
    """Half an hour at nine tenths of the speed the policy declares, without weeks before."""
    load(scribe, mbps, 40)
    sites = [{"id": "demo", "subnets": ["10.0.0.0/8"], "link_mbps": 100}]
    findings = scribe.detect("link_load", policy=policy_of(sites=sites), seconds=3_600)
    assert [row["subject"] for row in findings] == ["demo"] * found
    if found:
        assert "of the 100 Mb/s that its link has" in findings[0]["statement"]


def test_what_stays_inside_is_no_load_of_the_link(scribe, policy_of):
    """A backup to a server of the school leaves the link alone."""
    for at in range(0, 40, 5):
        scribe.flow(at * 60, "10.20.0.15", "10.10.0.9", bytes_down=4 * 10**9)
    sites = [{"id": "demo", "subnets": ["10.0.0.0/8"], "link_mbps": 100}]
    assert scribe.detect("link_load", policy=policy_of(sites=sites), seconds=3_600) == []


def test_hostile_counters_and_times_make_one_finding(scribe, policy_of):
    """Counters near 2^64 and rows of 2105 name their own host once, and nobody else."""
    share_of(scribe, 10, client="10.20.0.16")
    for minute in range(5):
        scribe.flow(
            minute * 60, "10.20.0.15", "203.0.113.9", bytes_down=2**64 - 1, bytes_up=2**64 - 1,
            bursts_down=65_535, group="students", categories=["streaming_video"],
        )  # fmt: skip
        share_of(scribe, 2_000, 79 * 365 * 24 * HOUR, client=f"10.20.1.{minute}")
    policy = policy_of(quotas=[*GIGABYTE_A_DAY, *A_LESSON, *RATE])
    names = (
        "daily_quota",
        "lesson_quota",
        "sustained_rate",
        "elephant_flow",
        "adaptive_streaming",
        "link_load",
    )
    findings = scribe.detect(*names, policy=policy)
    subjects = {(row["detector"], row["subject"]) for row in findings}
    assert len(findings) == len(subjects)
    assert subjects == {(name, "10.20.0.15") for name in names[:4]}


@pytest.mark.slow
def test_very_many_hosts_above_their_quota_are_one_finding(scribe, policy_of):
    """A flood of forged senders, each above every quota, ends in one finding about the site a detector."""
    scribe.flow(0, "10.20.0.15", "203.0.113.9", bytes_down=1_000)
    scribe.write()
    for table, column, at in (("traffic_1h", "hour", "10:00:00"), ("traffic_1m", "minute", "10:21:00")):
        scribe.store.command(
            f"INSERT INTO {table} ({column}, site, `group`, client, category, bytes_down) SELECT"
            f" toDateTime('2026-03-02 {at}', 'UTC'), 'demo', 'students',"
            " toIPv6(format('::ffff:10.{}.{}.{}', toString(intDiv(number, 65536) % 256),"
            " toString(intDiv(number, 256) % 256), toString(number % 256))), 'streaming_video', 2000000000"
            " FROM numbers(100000)"
        )
    policy = policy_of(quotas=[*GIGABYTE_A_DAY, *A_LESSON, *RATE])
    names = ("daily_quota", "lesson_quota", "sustained_rate", "streaming_share")
    findings = scribe.detect(*names, policy=policy)
    assert [(row["detector"], row["subject_kind"]) for row in findings] == [
        (name, "site") for name in names[:3]
    ]
