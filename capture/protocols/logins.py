"""How log-ins end, told by packets behind the head."""

import numpy as np

from capture.protocols.outcomes import NOT
from pipeline.kernels import unit_kernel


@unit_kernel
def watch_login(table, buf, start, end, up, i):
    """Look at one segment of a flow whose protocol stands in `flow.watch`."""
    return np.int64(NOT)
