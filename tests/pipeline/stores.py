"""Stores for tests: a folder with all tables, copied from one that was migrated once."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

from pipeline.store.client import Store

FOR_EVER = {"raw_days": 0, "summary_days": 0}


@cache
def _template() -> tempfile.TemporaryDirectory[str]:
    """A folder whose store has every table and no row. It goes with the process."""
    folder = tempfile.TemporaryDirectory(prefix="spanwatch-template-")
    with Store(f"chdb://{folder.name}/store", FOR_EVER) as store:
        store.migrate()
    return folder


def made_store(folder: Path) -> Store:
    """An opened store below the folder, its tables there and empty, which keeps rows for ever.

    The engine has one folder open at a time in a process.
    """
    shutil.copytree(Path(_template().name) / "store", folder / "store", symlinks=True)
    return Store(f"chdb://{folder / 'store'}", FOR_EVER)
