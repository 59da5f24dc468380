"""What one datagram cannot prove: a flow's candidate application, and a token of each direction to compare.

A protocol whose single datagrams look like many others notes here what the next ones must fit: a session's
number, a counter. Only then is it named, so that a tunnel is never found in noise.
"""

import numpy as np

from pipeline.kernels import packet_kernel


@packet_kernel
def note(flow, application, up, token):
    """Make `application` the flow's candidate with this token (32 bits, not 0) for one direction."""
    if flow.candidate != application:
        flow.candidate = application
        flow.token_up = 0
        flow.token_down = 0
    if up:
        flow.token_up = token
    else:
        flow.token_down = token


@packet_kernel
def noted(flow, application, up):
    """The token of one direction, 0 if the candidate is another or said nothing in that direction."""
    if flow.candidate != application:
        return np.int64(0)
    return np.int64(flow.token_up if up else flow.token_down)
