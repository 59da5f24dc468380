"""What one datagram leaves for the next."""

import numpy as np
import pytest

from capture.flows import FLOW
from capture.protocols.candidates import note, noted

pytestmark = pytest.mark.uncompiled


def test_tokens_stand_by_direction() -> None:
    """Each direction has its token; those of another candidate are gone."""
    flow = np.zeros(1, FLOW).view(np.recarray)[0]
    assert noted(flow, 7, 1) == 0
    note(flow, 7, 1, 0xFFFFFFFF)
    note(flow, 7, 0, 5)
    assert (noted(flow, 7, 1), noted(flow, 7, 0), noted(flow, 8, 1)) == (0xFFFFFFFF, 5, 0)
    note(flow, 8, 0, 9)
    assert (noted(flow, 8, 1), noted(flow, 8, 0), noted(flow, 7, 1)) == (0, 9, 0)
