"""The data files of routers' and systems' signs."""

import re

from classifiers.signs import signs


def test_expressions_are_sound_and_of_lower_case():
    """Each list is one expression that can be compiled, and what it is held against is lower case."""
    for name in ("router_classes", "router_host_names"):
        expression = signs()[name]
        re.compile(expression)
        assert expression == expression.lower()


def test_names_and_their_keys_stand_beside_each_other():
    """Every value has its key at the same place, and stands under one key alone."""
    found = signs()
    for values, keys in [
        ("setup_names", "setup_makers"),
        *(
            (f"system_{table}", f"systems_by_{table}")
            for table in ("forms", "dhcp", "dhcp_options", "ja4", "names")
        ),
    ]:
        assert len(found[values]) == len(found[keys]) == len(set(found[values]))
