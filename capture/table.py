"""Everything the per-packet path works on, allocated once: its size is the sensor's memory."""

import numpy as np

from capture.aes import ROUND_KEYS, WORDS, cipher_tables
from capture.ahead import AHEAD
from capture.answers import ANSWER
from capture.arena import new_rows
from capture.flows import FLOW, NONE, SLOT
from capture.fragments import DATAGRAM, DATAGRAM_BYTES, DATAGRAMS, FRAGMENT_RUNS
from capture.network import PACKET
from capture.protocols.identify import CHECKS, port_table
from capture.protocols.ja4 import REMEMBERED, TEXT_ROOM, VALUES_MAX
from capture.protocols.quic_handshakes import CID_MAX, CRYPTO_RUNS, HANDSHAKES, WAYS
from capture.protocols.quic_initial import PLAIN_BYTES
from capture.protocols.quic_keys import HMAC_STATES, IV_BYTES, KEYS_BYTES, SECRET_BYTES
from capture.protocols.signatures import signature_tables
from capture.questions import MESSAGE, NAME_ROOM, PACKET_ROWS, PENDING
from capture.reassembly import HEAD, HEAD_BYTES, RUNS
from capture.sha256 import WORK
from capture.sightings import SAID
from capture.tunnels.peel import tunnel_port_bits
from pipeline.bundle import Bundle
from pipeline.kernels import bind_units
from pipeline.settings import SensorSettings
from pipeline.words import LINE

#: Questions that wait for an answer at the same time; a power of two, our default.
QUESTIONS = 1 << 16
#: DNS answers remembered for naming flows; a power of two, our default.
ANSWERS = 1 << 16
#: Sightings remembered for not repeating them; a power of two, our default.
REMEMBERED_SIGHTINGS = 1 << 16
#: Frames remembered for finding the mirror's second copies; a power of two, our default.
REMEMBERED_FRAMES = 1 << 14
#: Text of one set of batches.
TEXT_BYTES = 32 << 20

#: Counters, gauges and cursors; one record.
METER = np.dtype(
    [
        (name, "i8")
        for name in (
            # settings and seeds
            "seed", "boot", "idle_tcp", "idle_udp", "duplicate_us",
            # packet time
            "now", "next_sweep", "sweep_at", "sweeping", "behind", "copied",
            # counters since the last health row
            "packets", "bytes", "truncated", "malformed", "unknown_link", "duplicates", "evicted",
            "heads_refused",
            # gauges
            "flows_peak", "heads_peak",
            # cursors
            "flows_free", "flows_high", "serial", "hand", "heads_free", "heads_high",
            "question_next", "question_tail",
            "flow_rows", "dns_rows", "sighting_rows", "text_used",
        )
    ]
)  # fmt: skip


class Table(Bundle):
    """The sensor's state as the kernels see it."""

    meter: np.recarray
    packet: np.recarray
    """The packet at hand, a place to lay it aside, and the packet around it while a tunnel is entered."""
    flows: np.recarray
    due: np.ndarray
    """int64[flows]: packet time before which the sweep need not look at a record."""
    ahead: np.ndarray
    """Of the frames looked at ahead: hash of the flow, start of the ports (capture.ahead)."""
    buckets: np.ndarray
    free: np.ndarray
    slots: np.ndarray
    """uint8[flows, SLOT]: text of each record; pages are touched only when there is text."""
    heads: np.recarray
    head_data: np.ndarray
    runs: np.ndarray
    free_heads: np.ndarray
    datagrams: np.recarray
    datagram_data: np.ndarray
    datagram_runs: np.ndarray
    scratch: np.ndarray
    sha_work: np.ndarray
    """int64[WORK]: schedule and state of the SHA-256 at hand."""
    ja4_values: np.ndarray
    ja4_text: np.ndarray
    ja4_known: np.ndarray
    """int64[REMEMBERED, 2]: keyed hash of two lists, and the first 48 bits of their SHA-256."""
    hmac_states: np.ndarray
    cipher_tables: np.ndarray
    cipher_words: np.ndarray
    round_keys: np.ndarray
    """int64[2, ROUND_KEYS]: of the packet's key and of header protection."""
    handshakes: np.recarray
    """QUIC handshakes under way; the last place is for those that find none."""
    handshake_cids: np.ndarray
    handshake_keys: np.ndarray
    """uint8[handshakes, side, KEYS_BYTES]"""
    handshake_runs: np.ndarray
    quic_secret: np.ndarray
    quic_nonce: np.ndarray
    quic_plain: np.ndarray
    """The header and the deciphered part of the Initial packet at hand."""
    message: np.recarray
    name: np.ndarray
    questions: np.recarray
    question_names: np.ndarray
    question_buckets: np.ndarray
    answers: np.recarray
    answer_tags: np.ndarray
    answer_names: np.ndarray
    said: np.recarray
    copies: np.ndarray
    ports: np.ndarray
    signatures: np.recarray
    signature_order: np.ndarray
    signature_starts: np.ndarray
    tunnel_ports: np.ndarray
    flow_rows: np.recarray
    dns_rows: np.recarray
    sighting_rows: np.recarray
    text: np.ndarray


def _records(dtype: np.dtype, count: int) -> np.recarray:
    return np.zeros(count, dtype).view(np.recarray)


def _cache_aligned(dtype: np.dtype, count: int) -> np.recarray:
    """Records that begin at a cache line; `dtype` is a whole number of lines long."""
    room = np.zeros(count * dtype.itemsize + LINE, np.uint8)
    first = -room.ctypes.data % LINE
    return room[first : first + count * dtype.itemsize].view(dtype).view(np.recarray)


def new_table(settings: SensorSettings, seed: int, boot: int) -> Table:
    """An empty table of the configured size, with the units bound to its type.

    `seed` keys the hashes, `boot` the flow ids; both int64.
    """
    flows, heads = settings.flows, settings.heads
    buckets = 1 << (flows - 1).bit_length()
    handshakes = -(-heads // WAYS) * WAYS + 1
    signatures, signature_order, signature_starts = signature_tables(CHECKS)
    table = Table(
        meter=_records(METER, 1),
        packet=_records(PACKET, 3),
        flows=_cache_aligned(FLOW, flows),
        due=np.zeros(flows, np.int64),
        ahead=np.zeros((AHEAD, 2), np.int64),
        buckets=np.full(buckets, NONE, np.int32),
        free=np.arange(flows - 1, -1, -1, dtype=np.int32),
        slots=np.zeros((flows, SLOT), np.uint8),
        heads=_records(HEAD, heads),
        head_data=np.zeros((heads, HEAD_BYTES), np.uint8),
        runs=np.zeros((heads, RUNS, 2), np.int32),
        free_heads=np.arange(heads - 1, -1, -1, dtype=np.int32),
        datagrams=_records(DATAGRAM, DATAGRAMS),
        datagram_data=np.zeros((DATAGRAMS, DATAGRAM_BYTES), np.uint8),
        datagram_runs=np.zeros((DATAGRAMS, FRAGMENT_RUNS, 2), np.int32),
        scratch=np.zeros(HEAD_BYTES, np.uint8),
        sha_work=np.zeros(WORK, np.int64),
        ja4_values=np.zeros(2 * VALUES_MAX, np.int64),
        ja4_text=np.zeros(TEXT_ROOM, np.uint8),
        ja4_known=np.zeros((REMEMBERED, 2), np.int64),
        hmac_states=np.zeros(HMAC_STATES, np.int64),
        cipher_tables=cipher_tables(),
        cipher_words=np.zeros(WORDS, np.int64),
        round_keys=np.zeros((2, ROUND_KEYS), np.int64),
        handshakes=_records(HANDSHAKES, handshakes),
        handshake_cids=np.zeros((handshakes, CID_MAX), np.uint8),
        handshake_keys=np.zeros((handshakes, 2, KEYS_BYTES), np.uint8),
        handshake_runs=np.zeros((handshakes, CRYPTO_RUNS, 2), np.int32),
        quic_secret=np.zeros(SECRET_BYTES, np.uint8),
        quic_nonce=np.zeros(IV_BYTES, np.uint8),
        quic_plain=np.zeros(PLAIN_BYTES, np.uint8),
        message=_records(MESSAGE, 1),
        name=np.zeros(NAME_ROOM, np.uint8),
        questions=_records(PENDING, QUESTIONS),
        question_names=np.zeros((QUESTIONS, NAME_ROOM), np.uint8),
        question_buckets=np.full(QUESTIONS, NONE, np.int32),
        answers=_records(ANSWER, ANSWERS),
        answer_tags=np.zeros(ANSWERS, np.int32),
        answer_names=np.zeros((ANSWERS, 256), np.uint8),
        said=_records(SAID, REMEMBERED_SIGHTINGS),
        copies=np.zeros(REMEMBERED_FRAMES, np.int64),
        ports=port_table(),
        signatures=signatures,
        signature_order=signature_order,
        signature_starts=signature_starts,
        tunnel_ports=tunnel_port_bits(),
        flow_rows=new_rows("flows", settings.batch_rows),
        dns_rows=new_rows("dns", settings.batch_rows + PACKET_ROWS),
        sighting_rows=new_rows("sightings", settings.batch_rows),
        text=np.zeros(TEXT_BYTES, np.uint8),
    )
    table.heads.flow = NONE
    meter = table.meter[0]
    meter.seed = seed
    meter.boot = boot
    meter.idle_tcp = settings.idle_tcp_s * 1_000_000
    meter.idle_udp = settings.idle_udp_s * 1_000_000
    meter.duplicate_us = settings.duplicate_us
    meter.flows_free = flows
    meter.heads_free = heads
    meter.now = NONE
    bind_units(table)
    return table
