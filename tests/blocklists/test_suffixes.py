"""Public suffixes."""

import subprocess
import sys

import pytest

from blocklists.suffixes import is_public, is_registry


@pytest.mark.parametrize(
    ("name", "public", "registry"),
    [
        ("com", True, True),
        ("co.uk", True, True),
        ("example.co.uk", False, False),
        ("github.io", True, False),
        ("blogspot.com", True, False),
        ("example.github.io", False, False),
        # *.ck, but !www.ck
        ("example.ck", True, True),
        ("www.ck", False, False),
        # *.kawasaki.jp, but !city.kawasaki.jp
        ("example.kawasaki.jp", True, True),
        ("city.kawasaki.jp", False, False),
        ("xn--55qx5d.cn", True, True),
        ("example.org", False, False),
        # *.compute.amazonaws.com, which stands for compute.amazonaws.com as well
        ("compute.amazonaws.com", True, False),
        ("eu-west-1.compute.amazonaws.com", True, False),
        # *.cn-north-1.airflow.amazonaws.com.cn
        ("x.cn-north-1.airflow.amazonaws.com.cn", True, False),
        ("nobodys", True, True),
    ],
)
def test_plain_wildcard_and_exception_rules(name, public, registry):
    """Rules of every kind, of registries and of companies, are told apart."""
    assert is_public(name) == public
    assert is_registry(name) == registry


def test_a_sensor_needs_no_suffixes():
    """The starter lists load on a host without the packages that only other lists need."""
    code = """
import sys
sys.modules.update(dict.fromkeys(["publicsuffixlist", "idna"]))
from blocklists.lists import load_matcher
sys.exit(load_matcher().labels("www.youtube.com").service != "YouTube")
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
