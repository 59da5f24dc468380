"""Inventories of devices as CSV."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers import inventory
from classifiers.inventory import InventoryError, read_inventory


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_tags_and_their_devices(tmp_path, mark):
    """Every way to write a MAC address, several tags, several MAC columns, other columns, a BOM."""
    lines = [
        ["Serial", "Ethernet MAC", "wifiMacAddress", "Tags"],
        ["1", "00:16:3E:00:00:01", "", "staff laptop"],
        ["2", "00-16-3e-00-00-02", "0016.3e00.0003", "cart:4"],
        ["3", "00163e000004", "", ""],
        [],
        ["4", "", "", "staff"],
        ["5", '"00163E000005"', "", "staff"],
    ]
    path = tmp_path / "devices.csv"
    path.write_text("\ufeff" + "\r\n".join(mark.join(line) for line in lines), "utf-8")
    assert read_inventory(path) == {
        "staff": {"00:16:3e:00:00:01", "00:16:3e:00:00:05"},
        "laptop": {"00:16:3e:00:00:01"},
        "cart:4": {"00:16:3e:00:00:02", "00:16:3e:00:00:03"},
    }


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"", 1, "empty"),
        (b"mac,name\n", 1, "no column of tags"),
        (b"tag,name\n", 1, "no column of MACs"),
        (b"mac,tag\n00:16:3e:00:00:01,a\nrouter,b\n", 3, "no MAC address"),
        (b"mac,tag\n00:16:3e:00:00:01,a<b\n", 2, "is no tag"),
        (b"mac,tag\n\xff\n", 1, "not UTF-8"),
        (b'mac,tag\n"' + b"a" * 200_000, 1, "not CSV"),
    ],
)
def test_what_is_no_inventory(tmp_path, content, line, what):
    """A file that can't be used is one line with file, line and mend."""
    path = tmp_path / "devices.csv"
    path.write_bytes(content)
    with pytest.raises(InventoryError) as caught:
        read_inventory(path)
    assert (caught.value.line, str(caught.value).startswith(f"{path}:{line}: ")) == (line, True)
    assert what in caught.value.what
    assert "; " in str(caught.value)


def test_a_missing_and_an_enormous_file(tmp_path, monkeypatch):
    """A file that is not there, is too large or names too many devices is refused."""
    with pytest.raises(InventoryError, match="cannot read"):
        read_inventory(tmp_path / "none.csv")
    path = tmp_path / "devices.csv"
    path.write_text("mac,tag\n00163e000001,a\n00163e000002,a\n")
    monkeypatch.setattr(inventory, "MOST_DEVICES", 1)
    with pytest.raises(InventoryError, match="more than 1 devices"):
        read_inventory(path)
    monkeypatch.setattr(inventory, "MOST_BYTES", 10)
    with pytest.raises(InventoryError, match="MiB"):
        read_inventory(path)


@settings(deadline=None)
@given(st.binary(max_size=200).map(lambda data: b"mac,tag\n" + data))
def test_any_bytes_are_tags_or_an_error(tmp_path_factory, content):
    """Whatever follows the header, there are tags of MAC addresses or an InventoryError."""
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        tagged = read_inventory(path)
    except InventoryError:
        return
    assert all(len(mac) == 17 for macs in tagged.values() for mac in macs)
