"""SSDP (UPnP Device Architecture 2.0, 1): devices that announce themselves or answer, and who searches."""

import numpy as np

from capture.protocols.lines import begins, begins_exactly, line_end, octets
from capture.protocols.uri import host_of
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    add_text,
    add_word,
    close_sighting,
    has_sighting_room,
    open_sighting,
    set_name,
    set_value,
    word_table,
)
from pipeline.kernels import packet_kernel, unit_kernel

SSDP = SOURCE["ssdp"]

#: First lines, the names of headers, and words of attribute `type`.
NOTIFY, SEARCH, RESPONSE = octets("NOTIFY * HTTP/1."), octets("M-SEARCH * HTTP/1."), octets("HTTP/1.")
(NT, ST, NTS, SERVER, USN, LOCATION, USER_AGENT, FRIENDLY_NAME) = (
    octets(text) for text in ("nt", "st", "nts", "server", "usn", "location", "user-agent", "cpfn.upnp.org")
)
ALIVE, BYEBYE, UPDATE = octets("ssdp:alive"), octets("ssdp:byebye"), octets("ssdp:update")
TYPES = word_table("alive", "byebye", "update", "search", "response")
WORD_ALIVE, WORD_BYEBYE, WORD_UPDATE, WORD_SEARCH, WORD_RESPONSE = range(5)
#: Header lines read; our default.
LINES_MAX = 32

A_TYPE, A_SERVER, A_USN, A_LOCATION, A_AGENT = (
    ATTRIBUTE[word] for word in ("type", "server", "usn", "location", "agent")
)


@packet_kernel
def is_same(buf, at, end, text):
    """True if the bytes are this text in lower case, with letters of either case."""
    return end - at == len(text) and begins(buf, at, end, text)


@packet_kernel
def find_header(buf, at, end, name):
    """(start, end) of a header's value without the blanks around it, (-1, -1) if there is none."""
    for _ in range(LINES_MAX):
        if at >= end:
            break
        stop = line_end(buf, at, end)
        colon = at
        while colon < stop and buf[colon] != 58:
            colon += 1
        if is_same(buf, at, colon, name):
            first = colon + 1
            while first < stop and buf[first] <= 32:
                first += 1
            while stop > first and buf[stop - 1] <= 32:
                stop -= 1
            return first, stop
        at = stop + 1
    return -1, -1


@packet_kernel
def notification(buf, at, end):
    """Row of `TYPES` for the text of an `NTS` header, -1 if it is none of them."""
    if is_same(buf, at, end, ALIVE):
        return WORD_ALIVE
    if is_same(buf, at, end, BYEBYE):
        return WORD_BYEBYE
    if is_same(buf, at, end, UPDATE):
        return WORD_UPDATE
    return -1


@unit_kernel
def sight_ssdp(table, buf, start, end):
    """Sighting of a device, or of who searches: `value` is the type. 1 if this is SSDP.

    Of where a device's description lies only the host is told.
    """
    if begins_exactly(buf, start, end, NOTIFY):
        kind = WORD_ALIVE
    elif begins_exactly(buf, start, end, SEARCH):
        kind = WORD_SEARCH
    elif begins_exactly(buf, start, end, RESPONSE):
        kind = WORD_RESPONSE
    else:
        return np.int64(0)
    at = line_end(buf, start, end) + 1
    if kind == WORD_ALIVE:
        first, stop = find_header(buf, at, end, NTS)
        kind = notification(buf, first, stop)
        value, value_stop = find_header(buf, at, end, NT)
    else:
        value, value_stop = find_header(buf, at, end, ST)
    usn, usn_stop = find_header(buf, at, end, USN)
    if value < 0 and usn < 0:
        # What answers to HTTP over UDP is not always SSDP.
        return np.int64(1 if kind == WORD_SEARCH else 0)
    if not has_sighting_room(table):
        return np.int64(1)
    packet = table.packet[0]
    row = open_sighting(table, packet, SSDP, packet.source_mac, packet.source_hi, packet.source_lo)
    first, stop = find_header(buf, at, end, FRIENDLY_NAME)
    set_name(table, row, buf, first, stop)
    set_value(table, row, buf, value, value_stop)
    if kind >= 0:
        add_word(table, row, A_TYPE, TYPES, kind)
    first, stop = find_header(buf, at, end, SERVER)
    add_text(table, row, A_SERVER, buf, first, stop)
    add_text(table, row, A_USN, buf, usn, usn_stop)
    first, stop = find_header(buf, at, end, LOCATION)
    first, stop = host_of(buf, first, stop)
    add_text(table, row, A_LOCATION, buf, first, stop)
    first, stop = find_header(buf, at, end, USER_AGENT)
    add_text(table, row, A_AGENT, buf, first, stop)
    close_sighting(table, row)
    return np.int64(1)
