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
    assert read_inventory(path).tagged() == {
        "staff": {"00:16:3e:00:00:01", "00:16:3e:00:00:05"},
        "laptop": {"00:16:3e:00:00:01"},
        "cart:4": {"00:16:3e:00:00:02", "00:16:3e:00:00:03"},
    }


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"", 1, "empty"),
        (b"mac,serial\n", 1, "no column of names, groups, sites or tags"),
        (b"tag,name\n", 1, "no column of MACs"),
        (b'mac,name\n00:16:3e:00:00:01,"a\nb"\nrouter,c\n', 3, "is no name"),
        (b"mac,name\n00:16:3e:00:00:01,a\x1b[31m\n", 2, "is no name"),
        (b"mac,name\n00:16:3e:00:00:01," + b"a" * 256 + b"\n", 2, "is no name"),
        (b"\xff\xfem\x00a", 1, "not UTF-16"),
        (b"mac,tag\n00:16:3e:00:00:01,a\nrouter,b\n", 3, "no MAC address"),
        (b"mac,tag\n00:16:3e:00:00:01,a<b\n", 2, "is no tag"),
        (b"mac,tag\n\xff\n", 1, "not UTF-8"),
        (b'mac,tag\n"' + b"a" * 200_000, 2, "not CSV"),
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
        found = read_inventory(path)
    except InventoryError:
        return
    assert all(len(device.mac) == 17 for device in found.devices)
    assert len({device.mac for device in found.devices}) == len(found.devices)


EXPORTS = {
    "Google Admin": (
        "deviceId,serialNumber,annotatedUser,annotatedLocation,annotatedAssetId,model,macAddress,"
        "ethernetMacAddress,orgUnitPath\n"
        '"id-1","5CD1","a.person@school.example","Room 7","CB-0107","Chromebook","00163e000001","",'
        '"/Students/Grade 5"\n'
    ),
    "Jamf": (
        '"Computer Name","Asset Tag","MAC Address","Alternate MAC Address","Bluetooth MAC Address",'
        '"Building","Department"\n'
        '"CB-0107","A-9","00:16:3E:00:00:01","","00:16:3E:00:00:99","Room 7","/Students/Grade 5"\n'
    ),
    "Intune": (
        "\ufeffDevice name;Managed by;Ownership;Wi-Fi MAC;EthernetMacAddress;Category;Location;"
        "Primary user UPN\n"
        "CB-0107;Intune;Corporate;00163E000001;N/A;/Students/Grade 5;Room 7;a.person@school.example\n"
    ),
    "Meraki": (
        "Name\tMAC address\tNetwork name\tTags\tGroup\n"
        "CB-0107\t00:16:3e:00:00:01\tRoom 7\t\t/Students/Grade 5\n"
    ),
}


@pytest.mark.parametrize("maker", EXPORTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_exports_of_device_managers(tmp_path, maker, encoding):
    """The same device as different programs export it; persons and Bluetooth are not read."""
    path = tmp_path / "export.csv"
    path.write_bytes(EXPORTS[maker].encode(encoding))
    assert read_inventory(path).devices == [
        inventory.Device("00:16:3e:00:00:01", "CB-0107", "/Students/Grade 5", "Room 7", (), 2)
    ]


def test_an_owner_group_is_a_tag_where_a_group_names_it(tmp_path):
    """What the policy does not ask for does not become part of it."""
    path = tmp_path / "devices.csv"
    path.write_text("mac,owner group,tags\n00163e000001,/Staff,a;b\n00163e000002,/Other,\n")
    one = {"00:16:3e:00:00:01"}
    assert read_inventory(path).tagged({"/Staff"}) == {"a": one, "b": one, "/Staff": one}


def test_a_mac_on_two_lines(tmp_path):
    """The first line counts, the tags of both; other words are told with both lines."""
    path = tmp_path / "devices.csv"
    path.write_text("mac,name,tag\n00163e000001,dock,a\n00163e000001,other,b\n00163e000001,dock,c\n")
    found = read_inventory(path)
    assert found.devices == [inventory.Device("00:16:3e:00:00:01", "dock", "", "", ("a", "b", "c"), 2)]
    assert found.doubts == [f"{path}:3: 00:16:3e:00:00:01 is on line 2, too, with other words; "
                            "the first counts, give it one line"]  # fmt: skip


def test_lines_are_counted_as_the_file_has_them(tmp_path):
    """A cell of several lines moves the numbers of those behind it."""
    path = tmp_path / "devices.csv"
    path.write_bytes(b'mac,name,notes\r\n00163e000001,a,"one\r\ntwo"\r\nnonsense,b,\r\n')
    with pytest.raises(InventoryError) as caught:
        read_inventory(path)
    assert caught.value.line == 4
