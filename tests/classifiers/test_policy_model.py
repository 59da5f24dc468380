"""The parts of a policy that are checked one by one."""

import pytest
from pydantic import ValidationError

from classifiers.policy_model import Approved, Filter, Group, Policy, Quota, Site, mac_of


def test_addresses_and_macs_have_one_form():
    """MACs are lower case with colons, addresses of both families are understood."""
    approved = Approved.model_validate(
        {"router_macs": ["00-16-3E-FE-DD-7F"], "dhcp": ["10.0.0.1", "2001:db8::1"]}
    )
    assert approved.router_macs == ("00:16:3e:fe:dd:7f",)
    assert [address.version for address in approved.dhcp] == [4, 6]


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Approved, {"router_macs": ["00:16:3e"]}),
        (Approved, {"router_macs": ["zz:16:3e:fe:dd:7f"]}),
        (Approved, {"dhcp": ["10.0.0.0/8"]}),
        (Filter, {"tap_side": "middle"}),
        (Filter, {"methods": ["magic"]}),
        (Filter, {"block_page_bytes": -1}),
        (Quota, {"link_share": 1.5}),
        (Quota, {"bytes_per_day": 0}),
        (Quota, {"bytes_per_lesson": 0}),
        (Quota, {"mbps": 0}),
        (Quota, {"mbps": float("inf")}),
        (Quota, {}),
        (Quota, {"bytes_per_day": 10, "burst_megabytes": 5}),
        (Site, {"id": "a", "link_mbps": 0}),
        (Site, {"id": "a", "calendar": {"lesson_minutes": 5}}),
        (Site, {"id": "a", "calendar": {"lessons": [{"days": ["mon"], "from": "08:00", "to": "10:01"}]}}),
        (Group, {"id": "Two words"}),
        (Group, {"id": "a", "vlans": [0]}),
        (Site, {"id": "a", "time_zone": "../etc/passwd"}),
    ],
)
def test_values_outside_their_set_are_refused(model, values):
    """Broken MACs, networks for addresses, unknown words and impossible numbers are refused."""
    with pytest.raises(ValidationError):
        model.model_validate(values)


def test_groups_of_a_site():
    """A site has the groups that name it and those that name none, each with its place."""
    policy = Policy.model_validate(
        {
            "organisation": "Test",
            "sites": [{"id": "a"}, {"id": "b"}],
            "groups": [{"id": "all"}, {"id": "only-b", "sites": ["b"]}],
        }
    )
    a, b = policy.sites
    assert [(place, group.id) for place, group in policy.groups_at(a)] == [(0, "all")]
    assert [(place, group.id) for place, group in policy.groups_at(b)] == [(0, "all"), (1, "only-b")]


@pytest.mark.parametrize(
    "text", ["00:16:3E:00:0a:01", "00-16-3e-00-0A-01", "0016.3e00.0a01", " 00163E000A01 "]
)
def test_every_usual_form_of_a_mac(text):
    """Colons, dashes, dots or nothing between, and any case, are the same address."""
    assert mac_of(text) == "00:16:3e:00:0a:01"


@pytest.mark.parametrize("text", ["", "00:16:3e:00:0a", "0016:3e00:0a01", "00:16:3e:00:0a:0g", "0" * 13])
def test_what_is_no_mac(text):
    """Too short, too long and other letters are refused."""
    with pytest.raises(ValueError, match="is no MAC address; write it as"):
        mac_of(text)
