"""What fails as policy says: the ground of the corroborator `selective`.

An outage is blind to policy: it takes a server, a network, a line, with whatever is on it. Where services of
several companies fail in one way, all of them prohibited, while nothing that policy allows fails so and none
of the prohibited is reached, the filter did it. The method is `selective.sql` and `verdict.toml`:
docs/attempts.md.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from classifiers.ranges import hourly

SELECTIVE_SQL = hourly(Path(__file__).with_name("selective.sql").read_text("utf-8"))
#: Mechanisms that an A question without data shows of all questions for the name.
_ALSO = {"dns_nodata": ("dns_nodata_bare",)}


def words_of(methods: Sequence[str], evidence: Iterable[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Mechanisms of `verdict.toml` that a filter with these methods makes; of them, what days confirm.

    Where nothing is declared: all, and all of them.
    """
    rows = [row for row in evidence if not methods or set(methods) & set(row.get("methods", ()))]
    made = [row for row in rows if "methods" in row]
    steady = [row["mechanism"] for row in made if not methods or row.get("steady")]
    return [row["mechanism"] for row in made], steady


def companies(networks: Sequence[Iterable[str]], most: int) -> int:
    """How many services can have a network of their own, up to `most`: a pairing of the two.

    `networks`: of each service those of its servers, of one family. Services of one company share its
    networks, and so count once for each of these. No more than `most` are ever paired, so that the search for
    another stays short however many services there are.
    """
    owner: dict[str, int] = {}

    def placed(service: int, tried: set[str]) -> bool:
        for network in sorted(set(networks[service]) - tried):
            tried.add(network)
            if network not in owner or placed(owner[network], tried):
                owner[network] = service
                return True
        return False

    for service in range(len(networks)):
        placed(service, set())
        if len(owner) >= most:
            break
    return len(owner)


def keys(rows: Iterable[dict[str, Any]], least: int, asked: Iterable[str]) -> list[str]:
    """`site/period/mechanism/service` of all that failed selectively; rows of `selective.sql`.

    Connections need `least` companies; of the mechanisms in `asked` no server is known.
    """
    asked = set(asked)
    found = []
    for row in rows:
        if row["word"] not in asked:
            fours = [[network for network in given if ":" not in network] for given in row["networks"]]
            sixes = [[network for network in given if ":" in network] for given in row["networks"]]
            if max(companies(fours, least), companies(sixes, least)) < least:
                continue
        for word in (row["word"], *_ALSO.get(row["word"], ())):
            found += [f"{row['site']}/{row['period']}/{word}/{unit}" for unit in row["units"]]
    return sorted(found)
