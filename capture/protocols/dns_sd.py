"""What devices announce by multicast DNS: their names and addresses, services (RFC 6763), model."""

import numpy as np

from capture.flows import NONE
from capture.network import MAPPED_HI, MAPPED_LO
from capture.octets import put_text, same, u8, u16, u32, u64
from capture.protocols.dns import PTR, SRV
from capture.protocols.domain import first_label, open_record, read_name, skip_questions
from capture.protocols.lines import octets
from capture.questions import AAAA, NAME_ROOM, A
from capture.sightings import (
    ATTRIBUTE,
    SOURCE,
    TEXT_MAX,
    add_text,
    close_attribute,
    close_changing,
    close_name,
    close_value,
    has_sighting_room,
    open_attribute,
    open_sighting,
)
from pipeline.kernels import packet_kernel

#: Questions and records read of one message; our default.
QUESTIONS_MAX = 32
RECORDS_MAX = 64
#: Hosts told of one message: a device announces itself, a sleep proxy several. Our default.
HOSTS_MAX = 8
#: Service types told of one device; our default.
SERVICES_MAX = 16

TXT = 16
SAID_BY = SOURCE["mdns"]
A_SERVICE, A_MODEL = ATTRIBUTE["service"], ATTRIBUTE["model"]
MODEL = octets("model=")

# Places in `table.scratch`: the owner of a record, hosts with rank and address, service types.
OWNER, HOSTS, SERVICES = 0, 2_048, 6_144
#: One host: rank, address (16), length of the name (2), name (255).
HOST_ROOM = 288
HOST_ADDRESS, HOST_LENGTH, HOST_NAME = 1, 17, 19
#: One service type: length, text such as `_airplay._tcp`.
SERVICE_ROOM = 64
#: How well an address stands for its host: any IPv6 one, any IPv4 one, the one the packet came from.
SIX, FOUR, OWN = 1, 2, 3


@packet_kernel
def service_start(scratch, start, end):
    """Where `_service._protocol.local` begins in the name's text, -1 if it is no service's."""
    for at in range(start, end - 8):
        if scratch[at] == 95 and (at == start or scratch[at - 1] == 46):
            for dot in range(at + 1, end - 5):
                if scratch[dot] == 46:
                    # `._tcp` or `._udp`
                    if scratch[dot + 1] == 95 and scratch[dot + 2] in (116, 117) and scratch[dot + 4] == 112:
                        return at
                    break
    return -1


@packet_kernel
def add_service(scratch, services, start, end):
    """Add the service type that the name's text ends with, once; returns how many there are."""
    at = service_start(scratch, start, end)
    if at < 0 or services >= SERVICES_MAX:
        return services
    stop = at
    dots = 0
    while stop < end:
        if scratch[stop] == 46:
            dots += 1
            if dots == 2:
                break
        stop += 1
    length = stop - at
    if length >= SERVICE_ROOM:
        return services
    for known in range(services):
        place = SERVICES + known * SERVICE_ROOM
        if scratch[place] == length and same(scratch, place + 1, scratch, at, length):
            return services
    place = SERVICES + services * SERVICE_ROOM
    scratch[place] = length
    for i in range(length):
        scratch[place + 1 + i] = scratch[at + i]
    return services + 1


@packet_kernel
def add_host(table, hosts, length, buf, data, size):
    """Note the host whose name stands at `OWNER`, with its best address; returns how many there are."""
    scratch = table.scratch
    packet = table.packet[0]
    if length == 0 or length > TEXT_MAX:
        return hosts
    if size == 4:
        high, low = np.int64(MAPPED_HI), MAPPED_LO | u32(buf, data)
        rank = FOUR
    else:
        high, low = u64(buf, data), u64(buf, data + 8)
        rank = SIX
    if high == packet.source_hi and low == packet.source_lo:
        rank = OWN
    place = HOSTS
    number = 0
    while number < hosts:
        place = HOSTS + number * HOST_ROOM
        if u16(scratch, place + HOST_LENGTH) == length and same(
            scratch, place + HOST_NAME, scratch, OWNER, length
        ):
            break
        number += 1
    if number == hosts:
        if hosts == HOSTS_MAX:
            return hosts
        place = HOSTS + hosts * HOST_ROOM
        scratch[place] = 0
        scratch[place + HOST_LENGTH] = length >> 8
        scratch[place + HOST_LENGTH + 1] = length & 255
        for i in range(length):
            scratch[place + HOST_NAME + i] = scratch[OWNER + i]
        hosts += 1
    if rank > scratch[place]:
        scratch[place] = rank
        for i in range(8):
            scratch[place + HOST_ADDRESS + i] = high >> (56 - 8 * i) & 255
            scratch[place + HOST_ADDRESS + 8 + i] = low >> (56 - 8 * i) & 255
    return hosts


@packet_kernel
def find_model(buf, data, stop):
    """(start, end) of the value of `model=` in a TXT record (RFC 6763, 6), (-1, -1) if there is none."""
    while data < stop:
        behind = data + 1 + u8(buf, data)
        if behind > stop:
            break
        if behind - data - 1 > len(MODEL) and same(buf, data + 1, MODEL, 0, len(MODEL)):
            return data + 1 + len(MODEL), behind
        data = behind
    return -1, -1


@packet_kernel
def sight_announcement(table, buf, start, end, records):
    """Sightings of the hosts whose addresses a message tells, with its sender's instance, services and model.

    A host that has the packet's address is its sender, and has its MAC; another's is not known (a sleep proxy
    or a reflector speaks for it). No other text than these is kept.
    """
    scratch = table.scratch
    at = skip_questions(buf, start, end, QUESTIONS_MAX)
    hosts = 0
    services = 0
    label = np.int64(NONE)
    label_stop = np.int64(NONE)
    model = np.int64(NONE)
    model_stop = np.int64(NONE)
    for _ in range(records):
        owner = at
        behind, length = read_name(buf, start, end, at, scratch, OWNER, OWNER + NAME_ROOM)
        kind, ttl, data, stop = open_record(buf, end, behind)
        if kind < 0:
            break
        at = stop
        if ttl == 0:
            continue
        if (kind == A and stop - data == 4) or (kind == AAAA and stop - data == 16):
            hosts = add_host(table, hosts, length - OWNER, buf, data, stop - data)
        elif kind == SRV:
            services = add_service(scratch, services, OWNER, length)
            if label < 0:
                label, label_stop = first_label(buf, start, end, owner)
        elif kind == PTR:
            _, length = read_name(buf, start, end, data, scratch, OWNER, OWNER + NAME_ROOM)
            known = services
            services = add_service(scratch, services, OWNER, length)
            if services > known and label < 0:
                label, label_stop = first_label(buf, start, end, data)
        elif kind == TXT and model < 0 and length - OWNER > 12:
            model, model_stop = find_model(buf, data, stop)
    if label >= 0 and (label == label_stop or buf[label] == 95):
        # A type of service, not an instance of one.
        label = np.int64(NONE)
    sender = np.int64(NONE)
    for number in range(hosts):
        if scratch[HOSTS + number * HOST_ROOM] == OWN:
            sender = np.int64(number)
    if hosts == 1:
        sender = np.int64(0)
    for number in range(hosts):
        place = HOSTS + number * HOST_ROOM
        own = scratch[place] == OWN
        speaks = number == sender
        tell(
            table, buf, place, own,
            label if speaks else NONE, label_stop,
            model if speaks else NONE, model_stop,
            services if speaks else 0,
        )  # fmt: skip
    if sender < 0 and (label >= 0 or model >= 0 or services > 0):
        tell(table, buf, NONE, True, label, label_stop, model, model_stop, services)


@packet_kernel
def tell(table, buf, host, own, label, label_stop, model, model_stop, services):
    """One sighting: of the host noted at `host`, -1 of the packet's sender without a name."""
    if not has_sighting_room(table):
        return
    scratch = table.scratch
    packet = table.packet[0]
    high, low = packet.source_hi, packet.source_lo
    if host >= 0:
        high, low = u64(scratch, host + HOST_ADDRESS), u64(scratch, host + HOST_ADDRESS + 8)
    row = open_sighting(table, packet, SAID_BY, packet.source_mac if own else 0, high, low)
    position = np.int64(row.name_at)
    if host >= 0:
        for i in range(u16(scratch, host + HOST_LENGTH)):
            table.text[position] = scratch[host + HOST_NAME + i]
            position += 1
    close_name(table, row, position)
    if label >= 0:
        position = put_text(table.text, position, position + TEXT_MAX, buf, label, label_stop)
    close_value(table, row, position)
    if model >= 0:
        add_text(table, row, A_MODEL, buf, model, model_stop)
    known = table.meter[0].text_used
    if services > 0:
        first = open_attribute(table, A_SERVICE)
        position = first
        for number in range(services):
            place = SERVICES + number * SERVICE_ROOM
            if number > 0:
                table.text[position] = 44
                position += 1
            for i in range(scratch[place]):
                table.text[position] = scratch[place + 1 + i]
                position += 1
        close_attribute(table, row, position)
    close_changing(table, row, known)
