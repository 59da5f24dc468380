"""The internet of the filter lab: names, and web servers for TLS 1.2, TLS 1.3, HTTP/2, HTTP/3 and HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.lab.certificates import Certificates
from tests.lab.filters.scenario import PAGE_MARK, PLAIN, SHOPS, SITES, STOPPED, WANTED, ZONES
from tests.lab.filters.topology import FilterLab
from tests.lab.plan import INTERNET_NAMESERVER
from tests.lab.servers import QUIC_PORT, filled, start_caddy, start_nginx, start_unbound

CONFIGURATION = Path(__file__).with_name("configuration")
ADDRESSES: Mapping[str, tuple[str, str]] = {
    STOPPED: ("198.51.100.10", "2001:db8:f00::10"),
    WANTED: ("198.51.100.20", "2001:db8:f00::20"),
    PLAIN: ("198.51.100.30", "2001:db8:f00::30"),
    # RFC 5737, RFC 2544 and RFC 9637 leave this many networks to such examples.
    **dict(
        zip(
            SITES[1:],
            (
                ("203.0.113.60", "3fff:1::60"),
                ("192.0.2.160", "3fff:2::60"),
                ("198.18.0.60", "3fff:3::60"),
                ("198.19.0.60", "3fff:4::60"),
            ),
            strict=True,
        )
    ),
    **dict(
        zip(
            SHOPS[1:],
            (("203.0.113.70", "3fff:1::70"), ("192.0.2.170", "3fff:2::70"), ("198.18.0.70", "3fff:3::70")),
            strict=True,
        )
    ),
}
"""Where each zone's names with an odd number are served."""
SHARED = ("198.51.100.40", "2001:db8:f00::40")
"""Where the names with an even number of every zone are served, as by a content network."""
NAMESERVERS = (INTERNET_NAMESERVER, "2001:db8:f00::53")
PAGE_BYTES = 40_000
TTL_S = 60


def start(lab: FilterLab, names: Iterable[str], own: Mapping[str, Sequence[str]]) -> None:
    """All servers, answering when this returns. `own`: names or zones with addresses of a scenario's own."""
    taken = [address for given in (*ADDRESSES.values(), *own.values(), SHARED) for address in given]
    lab.serve_on(sorted({*NAMESERVERS, *taken}))
    _names(lab, {**ADDRESSES, **{name: SHARED for name in names if is_shared(name, own)}, **own})
    certificates = Certificates(lab.path / "public-ca", "Lab Public Root")
    root = lab.path / "www"
    root.mkdir()
    head = f"<!doctype html><title>Page</title><p>{PAGE_MARK}</p>"
    (root / "index.html").write_text(head + "<!-- " + "." * (PAGE_BYTES - len(head) - 9) + " -->")
    (root / "small").write_text(PAGE_MARK)
    lab.path.chmod(0o755)
    sites = {zone: certificates.leaf(zone, (zone,)) for zone in ADDRESSES}
    # Every server knows every zone, so that a scenario can put two of them behind one address.
    everywhere = " ".join(
        f"listen {address}:80; listen {address}:443 ssl http2;"
        for addresses in (*ADDRESSES.values(), SHARED)
        for address in (addresses[0], f"[{addresses[1]}]")
    )
    start_nginx(
        lab,
        "internet",
        "web",
        "\n".join(
            filled(
                str(CONFIGURATION / "site.conf"),
                zone=zone,
                listen=everywhere,
                key=key,
                chain=chain,
                root=root,
                mark=PAGE_MARK,
            )
            for zone, (key, chain) in sites.items()
        ),
    )
    _quic(lab, root, sites)
    for zone, addresses in ADDRESSES.items():
        for address in (addresses[0], f"[{addresses[1]}]"):
            target = ["--resolve", f"up.{zone}:443:{address}", f"https://up.{zone}/"]
            lab.wait_for("internet", ["curl", "-sk", "-o", "/dev/null", *target])
    lab.wait_for(
        "internet", ["dig", "+time=1", "+tries=1", f"@{INTERNET_NAMESERVER}", f"up.{next(iter(ZONES))}"]
    )


def is_shared(name: str, own: Mapping[str, Sequence[str]]) -> bool:
    """Whether a name is served at SHARED: its number is even, and the scenario placed it nowhere else."""
    label, zone = name.split(".", 1)
    return zone not in own and name not in own and label[-1] in "02468"


def _names(lab: FilterLab, addresses: Mapping[str, Sequence[str]]) -> None:
    """Authoritative answers, negative ones with the zone's SOA (RFC 2308, section 3)."""
    folder = lab.path / "zones"
    folder.mkdir()
    clauses = []
    for zone in (*ZONES, ""):
        lines = [f"$ORIGIN {zone}.", f"$TTL {TTL_S}", f"@ SOA ns host 1 3600 600 86400 {TTL_S}", "@ NS ns"]
        for name, given in addresses.items():
            if zone and (name == zone or name.endswith(f".{zone}")):
                label = "*" if name == zone else name.removesuffix(f".{zone}")
                lines += [f"{label} {'AAAA' if ':' in address else 'A'} {address}" for address in given]
        file = folder / (zone or "root")
        file.write_text("\n".join(lines) + "\n")
        clauses.append(
            f'auth-zone:\n  name: "{zone}."\n  zonefile: "{file}"\n  for-downstream: yes\n'
            "  for-upstream: no\n  fallback-enabled: no\n"
        )
    text = filled(
        "unbound.conf",
        folder=lab.path,
        name="internet-dns",
        server="\n".join(
            ["  access-control: ::/0 allow", *(f"  interface: {address}" for address in NAMESERVERS)]
        ),
        zones="".join(clauses),
        upstream=NAMESERVERS[0],
    )
    start_unbound(lab, "internet", "internet-dns", text)


def _quic(lab: FilterLab, root: Path, chains: Mapping[str, tuple[Path, Path]]) -> None:
    sites = "".join(
        filled("quic_site.caddy", hosts=f"https://*.{zone}:{QUIC_PORT}", chain=chain, key=key, root=root)
        for zone, (key, chain) in chains.items()
    )
    start_caddy(lab, sites)
