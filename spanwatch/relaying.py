"""The relay as a process beside the sensor, on a host whose settings name brokers."""

import contextlib
import threading
from functools import partial

from pipeline.settings import Settings
from spanwatch.invocation import Invocation
from spanwatch.supervision import keep_running, running


def relaying(
    invocation: Invocation, settings: Settings, stop: threading.Event
) -> contextlib.AbstractContextManager[None]:
    """A supervised `spanwatch relay` for the length of the block; without brokers nothing.

    Where it can't even start, `stop` is set and the block's end raises as `keep_running` does.
    """
    if not settings.stream.kafka.brokers:
        return contextlib.nullcontext()
    command = invocation.command(settings.state, "relay", "--supervised")
    return running("relay", partial(keep_running, command, what="relay"), stop)
