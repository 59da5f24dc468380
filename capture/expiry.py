"""Packet time passes: flows end by silence and owe rows, questions and datagrams are given up.

The clock is the packets' own, so that a replay gives the same rows.
"""

import numpy as np

from capture.content import drop_old_heads
from capture.flows import ACTIVE, IDLE, NONE, SHUTDOWN
from capture.fragments import FRAGMENT_US, give_up_datagram
from capture.protocols.dns_sd import HOSTS_MAX
from capture.questions import expire_questions, has_dns_room
from capture.rows import has_flow_room, write_flow
from capture.sightings import has_sighting_room
from capture.states import is_over
from capture.tracking import end_flow
from capture.transport import TCP
from pipeline.kernels import entry_kernel, hot_kernel, packet_kernel, unit_kernel

#: Seconds a closed TCP flow waits for late packets (Zeek's tcp_close_delay).
LINGER_S = 5
#: Seconds after which a living flow's row leaves (records.md).
ROW_S = 60
#: Seconds of silence after which a flow that the server never answered owes its first row: it has failed by
#: then (Zeek's tcp_attempt_delay), and who scans shall be known while he does.
UNANSWERED_S = 5
#: Seconds of packet time between sweeps, the delay that a row may have; each asks every flow's `due`. Our
#: default.
SWEEP_S = 4
#: A clock that is this far behind for `STEP_FRAMES` frames in a row was wrong before; our default.
STEP_US = 60_000_000
STEP_FRAMES = 64


@hot_kernel
def has_room(table):
    """True if whatever one frame may write fits."""
    meter = table.meter[0]
    return (
        has_flow_room(table)
        and has_dns_room(table)
        and has_sighting_room(table)
        and meter.sighting_rows + HOSTS_MAX <= len(table.sighting_rows)
    )


@packet_kernel
def flow_timeout(table, flow):
    """µs of silence after which the flow has ended."""
    meter = table.meter[0]
    if flow.protocol != TCP:
        return meter.idle_udp
    return np.int64(LINGER_S * 1_000_000) if is_over(flow) else meter.idle_tcp


@packet_kernel
def owes_first_row(flow):
    """True if nothing of the flow was written yet and the server said nothing."""
    return flow.row_start != NONE and flow.row_start == flow.first and flow.packets_down == 0


@packet_kernel
def next_due(table, flow):
    """Packet time, µs, before which the flow neither ends by silence nor owes a row."""
    due = flow.last + flow_timeout(table, flow)
    if flow.row_start != NONE:
        due = min(due, flow.row_start + ROW_S * 1_000_000)
    if owes_first_row(flow):
        due = min(due, flow.last + UNANSWERED_S * 1_000_000)
    return due


@packet_kernel
def sweep(table):
    """Write what is due: silent and closed flows, living ones' rows, unanswered questions. False if full."""
    meter = table.meter[0]
    now = meter.now
    while meter.sweep_at < meter.flows_high:
        if table.due[meter.sweep_at] <= now and table.flows[meter.sweep_at].used == 1:
            flow = table.flows[meter.sweep_at]
            silence = now - flow.last
            # A flow of the future: the clock was set back.
            if silence >= flow_timeout(table, flow) or silence < -STEP_US:
                if not has_flow_room(table):
                    return False
                end_flow(table, meter.sweep_at, IDLE)
            elif (flow.row_start != NONE and now - flow.row_start >= ROW_S * 1_000_000) or (
                owes_first_row(flow) and silence >= UNANSWERED_S * 1_000_000
            ):
                if not has_flow_room(table):
                    return False
                write_flow(table, meter.sweep_at, ACTIVE)
            table.due[meter.sweep_at] = next_due(table, flow)
        meter.sweep_at += 1
    while meter.flows_high > 0 and table.flows[meter.flows_high - 1].used == 0:
        meter.flows_high -= 1
    if not expire_datagrams(table, now) or not expire_questions(table, now, False):
        return False
    meter.sweeping = 0
    return True


@packet_kernel
def expire_datagrams(table, now):
    """Take datagrams that waited too long as they are; False if the rows are full before the end."""
    for place in range(len(table.datagrams)):
        datagram = table.datagrams[place]
        if datagram.used == 1 and now - datagram.started > FRAGMENT_US:
            if not has_room(table):
                return False
            give_up_datagram(table, place)
    return True


@unit_kernel
def pass_time(table):
    """Sweep what is due; 0 if the rows are full before the end."""
    meter = table.meter[0]
    if meter.next_sweep == 0:
        meter.next_sweep = meter.now + SWEEP_S * 1_000_000
        return np.int64(1)
    if meter.sweeping == 0:
        meter.sweeping = 1
        meter.sweep_at = 0
        meter.next_sweep = meter.now + SWEEP_S * 1_000_000
        drop_old_heads(table, meter.now)
    return np.int64(1 if sweep(table) else 0)


@unit_kernel
def step_back(table, ts):
    """A frame of long ago: after `STEP_FRAMES` of them in a row the clock is set back to `ts`."""
    meter = table.meter[0]
    meter.behind += 1
    if meter.behind > STEP_FRAMES:
        meter.behind = 0
        meter.now = ts
        meter.next_sweep = ts
        # What is due was said by the old clock.
        for i in range(meter.flows_high):
            table.due[i] = 0
    return np.int64(0)


@hot_kernel
def advance(table, ts):
    """Let packet time reach `ts`: sweep what is due. False if the rows are full before the end."""
    meter = table.meter[0]
    if ts > meter.now:
        meter.behind = 0
        meter.now = ts
    elif meter.now - ts > STEP_US:
        step_back(table, ts)
    if meter.sweeping == 1 or meter.now >= meter.next_sweep:
        return pass_time(table) == 1
    return True


@entry_kernel
def tick(table, ts):
    """`advance` without a frame."""
    return advance(table, ts)


@entry_kernel
def finish(table):
    """Write every flow and every waiting question; False if the rows are full before the end."""
    meter = table.meter[0]
    if not expire_datagrams(table, meter.now + FRAGMENT_US + 1):
        return False
    while meter.flows_high > 0:
        i = meter.flows_high - 1
        flow = table.flows[i]
        if flow.used == 1:
            if not has_flow_room(table):
                return False
            end_flow(table, i, SHUTDOWN)
        meter.flows_high -= 1
    return expire_questions(table, meter.now, True)
