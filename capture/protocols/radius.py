"""RADIUS (RFC 2865) and its accounting (RFC 2866): which user is at which device, as access points report."""

import numpy as np

from capture.network import MAPPED_HI, MAPPED_LO
from capture.octets import u8, u16, u32, u64
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    add_addresses,
    add_mac,
    add_number,
    add_text,
    add_word,
    close_sighting,
    close_value,
    has_sighting_room,
    open_sighting,
    put_word,
    set_name,
    word_table,
)
from pipeline.kernels import packet_kernel, unit_kernel

RADIUS = SOURCE["radius"]

ACCESS_REQUEST, ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 1, 4, 5
#: Challenge, status, and the messages of RFC 5176: known, and none says which user is at which device.
OTHER_CODES = (11, 12, 13, 40, 41, 42, 43, 44, 45)
HEADER = 20

(USER_NAME, NAS_ADDRESS, NAS_PORT, FRAMED_ADDRESS, CALLED_STATION, CALLING_STATION, NAS_IDENTIFIER) = (
    1, 4, 5, 8, 30, 31, 32,
)  # fmt: skip
STATUS, SESSION, NAS_PORT_ID, NAS_IPV6, FRAMED_IPV6 = 40, 44, 87, 95, 168
#: Framed-IP-Address that means "the user chooses" and "the access server does" (RFC 2865, 5.8).
USER_CHOOSES, SERVER_CHOOSES = 0xFFFFFFFF, 0xFFFFFFFE

#: Words of `value`, by Acct-Status-Type (RFC 2866, 5.1).
STATUS_WORDS = word_table("", "start", "stop", "interim", "", "", "", "on", "off")
TYPES = word_table("", "access_request", "access_accept", "access_reject", "accounting")
A_TYPE, A_NAS, A_PORT, A_BSSID, A_SESSION, A_SSID = (
    ATTRIBUTE[word] for word in ("type", "nas", "port", "bssid", "session", "ssid")
)


@packet_kernel
def find_attribute(buf, at, end, wanted):
    """(start, end) of the first attribute of a type (RFC 2865, 5), (-1, -1) if it is absent or cut off."""
    while end - at >= 2:
        length = u8(buf, at + 1)
        if length < 2 or at + length > end:
            break
        if buf[at] == wanted:
            return at + 2, at + length
        at += length
    return -1, -1


@packet_kernel
def hex_digit(octet):
    """Value of a hexadecimal digit, -1 if it is none."""
    if 48 <= octet <= 57:
        return octet - 48
    if 65 <= octet <= 70:
        return octet - 55
    if 97 <= octet <= 102:
        return octet - 87
    return -1


@packet_kernel
def read_mac(buf, at, end):
    """(MAC, end of its text) a station identifier begins with (RFC 3580, 3.20); (0, `at`) if there is none.

    Twelve digits with any of the separators in use, or six bytes that are no text.
    """
    mac, digits = np.int64(0), 0
    position = at
    while position < end and digits < 12:
        octet = u8(buf, position)
        digit = hex_digit(octet)
        if digit >= 0:
            mac = mac << 4 | digit
            digits += 1
        elif octet not in (45, 46, 58) or digits == 0:
            break
        position += 1
    if digits == 12:
        return mac, position
    if end - at == 6:
        return u16(buf, at) << 32 | u32(buf, at + 2), end
    return np.int64(0), at


@unit_kernel
def sight_radius(table, buf, start, end):
    """Sighting of a user's session, told by the access server. 1 if this is RADIUS."""
    if end - start < HEADER:
        return np.int64(0)
    code, length = u8(buf, start), u16(buf, start + 2)
    if length < HEADER or length > end - start:
        return np.int64(0)
    if code > ACCOUNTING_RESPONSE or code < ACCESS_REQUEST:
        return np.int64(1 if code in OTHER_CODES else 0)
    at, end = start + HEADER, start + length
    user, user_stop = find_attribute(buf, at, end, USER_NAME)
    calling, calling_stop = find_attribute(buf, at, end, CALLING_STATION)
    framed, framed_stop = find_attribute(buf, at, end, FRAMED_ADDRESS)
    six, six_stop = find_attribute(buf, at, end, FRAMED_IPV6)
    # Without a user, and without a device to find it by, nothing is said of anyone.
    if code == ACCOUNTING_RESPONSE or (user < 0 and calling < 0) or not has_sighting_room(table):
        return np.int64(1)
    mac, _ = read_mac(buf, calling, calling_stop)
    high, low = np.int64(0), np.int64(0)
    if framed_stop - framed == 4:
        address = u32(buf, framed)
        if address not in (0, USER_CHOOSES, SERVER_CHOOSES):
            high, low = np.int64(MAPPED_HI), MAPPED_LO | address
    if low == 0 and six_stop - six == 16:
        high, low = u64(buf, six), u64(buf, six + 8)
    row = open_sighting(table, table.packet[0], RADIUS, mac, high, low)
    set_name(table, row, buf, user, user_stop)
    behind = np.int64(row.value_at)
    first, stop = find_attribute(buf, at, end, STATUS)
    if code == ACCOUNTING_REQUEST and stop - first == 4 and u32(buf, first) < STATUS_WORDS.shape[0]:
        behind = put_word(table.text, behind, STATUS_WORDS, u32(buf, first))
    close_value(table, row, behind)
    add_word(table, row, A_TYPE, TYPES, code)
    first, stop = find_attribute(buf, at, end, NAS_IDENTIFIER)
    add_text(table, row, A_NAS, buf, first, stop)
    if first < 0:
        first, stop = find_attribute(buf, at, end, NAS_ADDRESS)
        add_addresses(table, row, A_NAS, buf, first, stop, 4)
        if first < 0:
            first, stop = find_attribute(buf, at, end, NAS_IPV6)
            add_addresses(table, row, A_NAS, buf, first, stop, 16)
    add_port(table, row, buf, at, end)
    add_called_station(table, row, buf, at, end)
    first, stop = find_attribute(buf, at, end, SESSION)
    add_text(table, row, A_SESSION, buf, first, stop)
    close_sighting(table, row)
    return np.int64(1)


@packet_kernel
def add_port(table, row, buf, at, end):
    """Attribute with the access server's port, by name if it has one."""
    first, stop = find_attribute(buf, at, end, NAS_PORT_ID)
    add_text(table, row, A_PORT, buf, first, stop)
    if first < 0:
        first, stop = find_attribute(buf, at, end, NAS_PORT)
        if stop - first == 4:
            add_number(table, row, A_PORT, u32(buf, first))


@packet_kernel
def add_called_station(table, row, buf, at, end):
    """Attributes with the access point's MAC and the network's name (RFC 3580, 3.20: `MAC:SSID`)."""
    first, stop = find_attribute(buf, at, end, CALLED_STATION)
    mac, behind = read_mac(buf, first, stop)
    if mac == 0:
        return
    add_mac(table, row, A_BSSID, mac)
    if behind < stop and buf[behind] == 58:
        add_text(table, row, A_SSID, buf, behind + 1, stop)
