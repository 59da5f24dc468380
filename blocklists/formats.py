"""List formats by name, those of one file: an open binary stream becomes entries and problems.

None of them raises on what the stream contains, or holds more of it than a line or a record in memory.
"""

from blocklists.adblock import adblock_rule
from blocklists.adguard_services import read_services
from blocklists.doh import read_doh
from blocklists.entries import Format, by_line
from blocklists.lines import (
    read_addresses,
    read_dnsmasq,
    read_domains,
    read_hosts,
    read_own_services,
    read_tor_exits,
    read_wildcard,
)  # fmt: skip
from blocklists.tables import read_csv
from blocklists.zones import read_zone

#: The first that reads a file best is what it is taken for where nobody says its format.
FORMATS: dict[str, Format] = {
    "addresses": read_addresses,
    "domains": read_domains,
    "hosts": read_hosts,
    "wildcard": read_wildcard,
    "adblock": by_line(adblock_rule),
    "dnsmasq": read_dnsmasq,
    "rpz": read_zone,
    "services": read_own_services,
    "csv": read_csv,
    "tor_exits": read_tor_exits,
    "doh": read_doh,
    "adguard_services": read_services,
}
