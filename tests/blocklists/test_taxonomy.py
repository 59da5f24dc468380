"""The taxonomy and its masks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists import taxonomy


def test_every_category_has_a_group_and_a_title():
    """The five groups are all used and every category has a title of its own."""
    assert {category.group for category in taxonomy.CATEGORIES.values()} == set(taxonomy.GROUPS)
    titles = [category.title for category in taxonomy.CATEGORIES.values()]
    assert len(set(titles)) == len(titles)


def test_what_must_not_be_named_is_marked():
    """Abuse is withheld; the sensitive categories are shown in sums alone."""
    assert taxonomy.CATEGORIES["abuse"].report == "withheld"
    assert taxonomy.names_of(taxonomy.WITHHELD_MASK) == ["abuse"]
    sensitive = [c for c in taxonomy.CATEGORIES.values() if c.group == "sensitive"]
    assert {c.report for c in sensitive} == {"aggregate"}


@given(st.sets(st.sampled_from(taxonomy.NAMES)))
def test_a_mask_holds_its_names(names):
    """Names go into a mask and come out in the taxonomy's order."""
    assert taxonomy.names_of(taxonomy.mask_of(names)) == [name for name in taxonomy.NAMES if name in names]


def test_an_unknown_name_has_no_mask():
    """A category that is not in the taxonomy is a KeyError."""
    with pytest.raises(KeyError):
        taxonomy.mask_of(["gaming"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[a]\ntitle = "A"\ngroup = "other"\n', "group or report"),
        ('[a]\ntitle = "A"\ngroup = "core"\nreport = "never"\n', "group or report"),
        ("".join(f'[c{i}]\ntitle = "{i}"\ngroup = "core"\n' for i in range(64)), "holds 63"),
    ],
)
def test_a_broken_taxonomy_is_refused(tmp_path, text, said):
    """Unknown groups and more categories than a mask holds are refused."""
    path = tmp_path / "taxonomy.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        taxonomy._read(path)


def test_ports_of_categories():
    """Encrypted DNS is about its ports alone; together with what any port may carry, about all."""
    doh = taxonomy.mask_of(["doh"])
    assert 443 in taxonomy.ports_of(doh)
    assert 53 not in taxonomy.ports_of(doh)
    assert taxonomy.ports_of(doh | taxonomy.mask_of(["vpn"])) == ()
    assert taxonomy.ports_of(0) == ()
