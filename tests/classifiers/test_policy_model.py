"""The parts of a policy that are checked one by one."""

import pytest
from pydantic import ValidationError

from classifiers.policy_model import Approved, Filter, Group, Policy, Quota, Site


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
        (Group, {"id": "Two words"}),
        (Group, {"id": "a", "vlans": [0]}),
        (Site, {"id": "a", "time_zone": "../etc/passwd"}),
    ],
)
def test_values_outside_their_set_are_refused(model, values):
    """Broken MACs, networks for addresses, unknown words and impossible numbers are refused."""
    with pytest.raises(ValidationError):
        model.model_validate(values)


def test_a_site_is_found_by_its_id():
    """`site` gives the site of an id and raises KeyError for another."""
    policy = Policy.model_validate(
        {"organisation": "Test", "sites": [{"id": "a"}, {"id": "b", "title": "B"}]}
    )
    assert policy.site("b").title == "B"
    with pytest.raises(KeyError):
        policy.site("c")
