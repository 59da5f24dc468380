"""The command and the processes it starts: the only place that puts the rooms together."""

from importlib.metadata import version

__version__ = version("spanwatch")
