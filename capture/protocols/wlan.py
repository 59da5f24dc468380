"""802.11 (IEEE 802.11-2020, 9): which networks there are, who looks for which, and open data frames."""

import numpy as np

from capture.link import ETHERTYPE_ETHERNET, ETHERTYPE_LLC, ETHERTYPE_NONE
from capture.octets import le16, put_text, u8, u24, u32, u48
from capture.protocols.options import find_option
from capture.protocols.radiotap import (
    CHECKED,
    CUT_OFF,
    NO_CHANNEL,
    NO_SIGNAL,
    PADDED,
    WIRED,
    WRONG,
    card_header,
)
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    TEXT_MAX,
    add_mac,
    add_number,
    add_text,
    add_word,
    add_words,
    close_changing,
    close_value,
    has_sighting_room,
    open_sighting,
    set_name,
    word_table,
)
from pipeline.kernels import packet_kernel, unit_kernel

BEACON_SOURCE, PROBE_SOURCE = SOURCE["beacon"], SOURCE["probe"]

#: Our own Ethertype: the frame was read, and carries no network layer.
ETHERTYPE_READ = 0x1_0002
#: Link types: without a card's header, and our own for swapped control fields (Cisco's CAPWAP).
LINK_BARE, LINK_SWAPPED = 105, 0x1_0069
#: How `read_wlan` packs an Ethertype and an offset from the frame's start into one number.
OFFSET_BITS = 20

# Frame control (9.2.4.1).
MANAGEMENT, DATA = 0, 2
(ASSOCIATION, REASSOCIATION, PROBE_REQUEST, PROBE_RESPONSE, BEACON) = 0, 2, 4, 5, 8
NO_DATA, QOS = 4, 8
TO_DS, FROM_DS, PROTECTED, HT_CONTROL = 0x01, 0x02, 0x40, 0x80
HEADER, FOURTH_ADDRESS = 24, 6
AMSDU, AMSDU_HEADER, MESH_CONTROL = 0x80, 14, 0x01

# Elements (9.4.2) and those of vendors, by OUI and type.
SSID, DS_PARAMETER, RSN, HT_OPERATION, CISCO_NAME, VENDOR, EXTENDED, HE_OPERATION = (
    0, 3, 48, 61, 133, 221, 255, 36,
)  # fmt: skip
WPA, WPS = 0x0050F201, 0x0050F204
#: Longest name of a network (9.4.2.2).
SSID_MAX = 32
#: Attributes of WPS (Wi-Fi Simple Configuration, 12).
WPS_MANUFACTURER, WPS_MODEL, WPS_NAME, WPS_SERIAL = 0x1021, 0x1023, 0x1011, 0x1042
#: Capabilities of a network (9.4.1.4).
AD_HOC, PRIVACY = 0x02, 0x10

#: Words of attribute `security`, and which of them the suites of key management mean (table 9-151).
SECURITY = word_table(
    "open", "wep", "wpa-psk", "wpa-enterprise", "wpa2-psk", "wpa2-enterprise", "wpa3-sae", "wpa3-enterprise",
    "owe", "other",
)  # fmt: skip
(OPEN, WEP, WPA_PSK, WPA_ENTERPRISE, WPA2_PSK, WPA2_ENTERPRISE, WPA3_SAE, WPA3_ENTERPRISE, OWE, UNKNOWN) = (
    1 << bit for bit in range(10)
)
RSN_OUI, WPA_OUI, CISCO_OUI = 0x000FAC, 0x0050F2, 0x004096
RSN_SUITES = np.full(32, UNKNOWN, np.int64)
for suites, meaning in (
    ((1, 3, 14, 15, 16, 17), WPA2_ENTERPRISE),
    ((2, 4, 6, 19, 20), WPA2_PSK),
    ((8, 9, 24, 25), WPA3_SAE),
    ((5, 11, 12, 13, 22, 23), WPA3_ENTERPRISE),
    ((18,), OWE),
):
    RSN_SUITES[list(suites)] = meaning

TYPES = word_table("ad-hoc", "request", "response", "association")
AD_HOC_WORD, REQUEST_WORD, RESPONSE_WORD, ASSOCIATION_WORD = range(4)
(A_TYPE, A_BSSID, A_CHANNEL, A_SECURITY, A_SIGNAL, A_SENT_BY, A_MANUFACTURER, A_MODEL, A_SERIAL) = (
    ATTRIBUTE[word]
    for word in (
        "type", "bssid", "channel", "security", "signal", "sent_by", "manufacturer", "model", "serial",
    )
)  # fmt: skip


@packet_kernel
def find_element(buf, at, end, wanted, inner):
    """(start, end) of the first element of a kind, (-1, -1) if it is absent or cut off.

    `inner` is what a vendor's element begins with (OUI and type), or the extension of an extended one; the
    data begins behind it.
    """
    while end - at >= 2:
        length = u8(buf, at + 1)
        stop = at + 2 + length
        if stop > end:
            break
        if buf[at] == wanted:
            if wanted == VENDOR:
                if length >= 4 and u32(buf, at + 2) == inner:
                    return at + 6, stop
            elif wanted == EXTENDED:
                if length >= 1 and buf[at + 2] == inner:
                    return at + 3, stop
            else:
                return at + 2, stop
        at = stop
    return -1, -1


@packet_kernel
def key_management(buf, at, end, oui):
    """Bits of `SECURITY` by the suites of an RSN (9.4.2.24) or WPA element behind its version."""
    enterprise = WPA_ENTERPRISE if oui == WPA_OUI else WPA2_ENTERPRISE
    # Group cipher, then a list of pairwise ciphers, then one of key managements; the rest has defaults.
    at += 4
    if end - at < 2:
        return enterprise
    at += 2 + 4 * le16(buf, at)
    if end - at < 2:
        return enterprise
    count = le16(buf, at)
    at += 2
    bits = 0
    while count > 0 and end - at >= 4:
        suite, kind = u24(buf, at), u8(buf, at + 3)
        if suite == RSN_OUI and oui == RSN_OUI and kind < len(RSN_SUITES):
            bits |= RSN_SUITES[kind]
        elif suite == WPA_OUI and oui == WPA_OUI and 1 <= kind <= 2:
            bits |= WPA_ENTERPRISE if kind == 1 else WPA_PSK
        elif suite == CISCO_OUI:
            bits |= enterprise
        else:
            bits |= UNKNOWN
        at += 4
        count -= 1
    # A named suite says more than one that we don't know.
    return bits & ~UNKNOWN if bits & ~UNKNOWN else (bits if bits else enterprise)


@packet_kernel
def security_of(buf, at, end, capabilities):
    """Bits of `SECURITY` of a network by its elements and capabilities."""
    bits = 0
    first, stop = find_element(buf, at, end, RSN, 0)
    if stop - first >= 6:
        bits |= key_management(buf, first + 2, stop, RSN_OUI)
    first, stop = find_element(buf, at, end, VENDOR, WPA)
    if stop - first >= 6:
        bits |= key_management(buf, first + 2, stop, WPA_OUI)
    if bits == 0:
        bits = WEP if capabilities & PRIVACY else OPEN
    return bits


@packet_kernel
def stated_channel(buf, at, end):
    """Channel that a network says it works on, `NO_CHANNEL` if it doesn't say."""
    first, stop = find_element(buf, at, end, DS_PARAMETER, 0)
    if stop - first == 1:
        return u8(buf, first)
    first, stop = find_element(buf, at, end, HT_OPERATION, 0)
    if stop - first >= 1:
        return u8(buf, first)
    first, stop = find_element(buf, at, end, EXTENDED, HE_OPERATION)
    if stop - first >= 6:
        # Three bytes of parameters, colour, two of rates; VHT and co-hosted parts come before that of 6 GHz.
        shown = le16(buf, first + 1)
        position = first + 6 + (3 if shown & 0x40 else 0) + (1 if shown & 0x80 else 0)
        if shown & 0x200 and position < stop:
            return u8(buf, position)
    return np.int64(NO_CHANNEL)


@packet_kernel
def set_network(table, row, buf, at, end):
    """The value is the SSID, as text; empty where it is hidden (absent, of length 0, or all zeros)."""
    first, stop = find_element(buf, at, end, SSID, 0)
    behind = np.int64(row.value_at)
    if first >= 0:
        hidden = True
        for i in range(first, stop):
            if buf[i] != 0:
                hidden = False
        if not hidden:
            behind = put_text(table.text, behind, behind + TEXT_MAX, buf, first, stop)
    close_value(table, row, behind)


@packet_kernel
def sight_station(table, buf, at, end, kind, body, channel, signal):
    """Sighting by a management frame: `beacon` of a network by its access point, `probe` of who looks for it.

    The same network, channel and security are one statement: signal strength changes without a new one. What
    a card was tuned to counts only where the frame doesn't say. False if the frame is cut off.
    """
    sender, bssid = u48(buf, at + 10), u48(buf, at + 16)
    network = kind in (BEACON, PROBE_RESPONSE)
    capabilities = np.int64(0)
    if network:
        # Timestamp and interval come before the capabilities (9.3.3.2).
        if end - body < 12:
            return False
        capabilities = le16(buf, body + 10)
        body += 12
    elif kind != PROBE_REQUEST:
        body += 4 if kind == ASSOCIATION else 10
        if body > end:
            return False
    first, stop = find_element(buf, body, end, SSID, 0)
    if stop - first > SSID_MAX or not has_sighting_room(table):
        return True
    source = BEACON_SOURCE if network else PROBE_SOURCE
    mac = bssid if network else sender
    row = open_sighting(table, table.packet[0], source, mac, np.int64(0), np.int64(0))
    wps, wps_stop = find_element(buf, body, end, VENDOR, WPS)
    first, stop = find_option(buf, wps, wps_stop, WPS_NAME)
    if first < 0:
        # The access point's name and the number of its clients, behind ten bytes.
        first, stop = find_element(buf, body, end, CISCO_NAME, 0)
        first, stop = (first + 10, first + 26) if stop - first >= 26 else (-1, -1)
        length = first
        while length < stop and buf[length] != 0:
            length += 1
        stop = length
    set_name(table, row, buf, first, stop)
    set_network(table, row, buf, body, end)
    stated = stated_channel(buf, body, end) if network else np.int64(NO_CHANNEL)
    if network:
        if capabilities & AD_HOC:
            add_word(table, row, A_TYPE, TYPES, AD_HOC_WORD)
        elif kind == PROBE_RESPONSE:
            add_word(table, row, A_TYPE, TYPES, RESPONSE_WORD)
        if stated != NO_CHANNEL:
            add_number(table, row, A_CHANNEL, stated)
        add_words(table, row, A_SECURITY, SECURITY, security_of(buf, body, end, capabilities))
        if sender != bssid:
            add_mac(table, row, A_SENT_BY, sender)
    else:
        add_word(table, row, A_TYPE, TYPES, REQUEST_WORD if kind == PROBE_REQUEST else ASSOCIATION_WORD)
        if kind != PROBE_REQUEST:
            add_mac(table, row, A_BSSID, bssid)
    first, stop = find_option(buf, wps, wps_stop, WPS_MANUFACTURER)
    add_text(table, row, A_MANUFACTURER, buf, first, stop)
    first, stop = find_option(buf, wps, wps_stop, WPS_MODEL)
    add_text(table, row, A_MODEL, buf, first, stop)
    first, stop = find_option(buf, wps, wps_stop, WPS_SERIAL)
    add_text(table, row, A_SERIAL, buf, first, stop)
    known = table.meter[0].text_used
    if stated == NO_CHANNEL and channel != NO_CHANNEL:
        add_number(table, row, A_CHANNEL, channel)
    if signal != NO_SIGNAL:
        add_number(table, row, A_SIGNAL, signal)
    close_changing(table, row, known)
    return True


@packet_kernel
def decode_data(buf, at, end, flags, kind, control, part, packet):
    """(Ethertype, offset) of what an open data frame carries; fills the packet's MACs (9.3.2.1)."""
    both = control & (TO_DS | FROM_DS) == TO_DS | FROM_DS
    body = at + HEADER + (FOURTH_ADDRESS if both else 0)
    aggregate, mesh = False, False
    if kind & QOS:
        if end - body < 2:
            return ETHERTYPE_NONE, -1
        aggregate = u8(buf, body) & AMSDU != 0
        mesh = both and u8(buf, body + 1) & MESH_CONTROL != 0
        body += 2
        if control & HT_CONTROL:
            body += 4
    if body > end:
        return ETHERTYPE_NONE, -1
    packet.target_mac = u48(buf, at + (16 if control & TO_DS else 4))
    packet.source_mac = u48(buf, at + (HEADER if both else 16 if control & FROM_DS else 10))
    # Of a fragmented frame part 0 alone has a network header.
    if kind & NO_DATA or control & PROTECTED or part != 0:
        return ETHERTYPE_READ, body
    if flags & PADDED:
        body += (at - body) % 4
    if mesh and body < end:
        # Mesh control: flags, time to live, number, up to two more addresses (9.2.4.7.3).
        body += 6 + 6 * (u8(buf, body) & 3)
    if aggregate:
        if end - body < AMSDU_HEADER:
            return ETHERTYPE_NONE, -1
        packet.target_mac = u48(buf, body)
        packet.source_mac = u48(buf, body + 6)
        body += AMSDU_HEADER
    if body >= end:
        return ETHERTYPE_NONE, -1
    return ETHERTYPE_LLC, body


@packet_kernel
def read_frame(table, buf, start, end, link):
    """As `decode_wlan`."""
    swapped = link == LINK_SWAPPED
    at, flags, channel, signal = card_header(buf, start, end, LINK_BARE if swapped else link)
    if at < 0:
        return ETHERTYPE_NONE, -1 if at == CUT_OFF else start
    if flags & WIRED:
        return ETHERTYPE_ETHERNET, at
    if flags & CHECKED:
        end -= 4
    if end - at < 10:
        return ETHERTYPE_NONE, -1
    meter = table.meter[0]
    first, control = u8(buf, at), u8(buf, at + 1)
    if swapped:
        first, control = control, first
    if flags & WRONG or first & 3 != 0:
        # Damaged on the air, or of a version that there isn't: nothing in it can be trusted.
        meter.malformed += 1
        return ETHERTYPE_READ, at
    frame, kind = first >> 2 & 3, first >> 4
    if frame != MANAGEMENT and frame != DATA:
        return ETHERTYPE_READ, at
    if end - at < HEADER:
        return ETHERTYPE_NONE, -1
    if frame == DATA:
        part = u8(buf, at + (23 if swapped else 22)) & 15
        return decode_data(buf, at, end, flags, kind, control, part, table.packet[0])
    body = at + HEADER + (4 if control & HT_CONTROL else 0)
    told = kind in (BEACON, PROBE_REQUEST, PROBE_RESPONSE, ASSOCIATION, REASSOCIATION)
    if not told or control & PROTECTED:
        return ETHERTYPE_READ, at
    if body > end or not sight_station(table, buf, at, end, kind, body, channel, signal):
        return ETHERTYPE_NONE, -1
    return ETHERTYPE_READ, at


@unit_kernel
def read_wlan(table, buf, start, end, link):
    """`decode_wlan` in one number: -1 cut off, else Ethertype + 1 and offset from `start`."""
    ethertype, at = read_frame(table, buf, start, end, link)
    return np.int64(-1) if at < 0 else np.int64((ethertype + 1) << OFFSET_BITS | (at - start))


@packet_kernel
def decode_wlan(table, buf, start, end, link):
    """Read an 802.11 frame of one of the link types of `capture.protocols.radiotap`.

    Sights networks and who looks for them; fills the packet's MACs and returns (Ethertype, offset of the
    network layer): `ETHERTYPE_LLC` for an open data frame, `ETHERTYPE_READ` where there is nothing more to
    read, `ETHERTYPE_NONE` and -1 for a frame that is cut off.
    """
    packed = read_wlan(table, buf, start, end, link)
    if packed < 0:
        return ETHERTYPE_NONE, -1
    return (packed >> OFFSET_BITS) - 1, start + (packed & ((1 << OFFSET_BITS) - 1))
