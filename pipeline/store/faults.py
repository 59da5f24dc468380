"""What the drivers raise, as ValueError (what was asked is wrong) or OSError (it could not be done)."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError, ProgrammingError
from clickhouse_driver import errors as native

#: Codes with which ClickHouse says that statement or data are wrong, and a retry is in vain.
FAULTS = {
    int(line.split("\t")[0])
    for line in Path(__file__).with_name("faults.tsv").read_text("utf-8").splitlines()[1:]
}
#: ClickHouse's codes for a disk that is full, too few replicas for a quorum, a wrong user or password.
NOT_ENOUGH_SPACE, TOO_FEW_LIVE_REPLICAS, AUTHENTICATION_FAILED = 243, 285, (192, 193, 516)


@contextmanager
def faults(doing: str) -> Iterator[None]:
    """The driver's errors as ValueError (a retry is in vain) or OSError (try again), in one line."""
    try:
        yield
    except (ClickHouseError, native.ServerException) as error:
        raise _served(doing, error) from None
    except (native.Error, EOFError) as error:
        reason = " ".join(str(getattr(error, "message", None) or error).split())
        raise OSError(errno.EIO, f"the store cannot {doing}: {reason or 'the connection broke'}") from None
    except pa.ArrowException as error:
        raise ValueError(f"the store cannot {doing}: {' '.join(str(error).split())[:500]}") from None
    except OSError as error:
        # The driver hands batches to chDB through a temporary file.
        if error.errno == errno.ENOSPC:
            raise _full(doing) from None
        raise OSError(error.errno, f"the store cannot {doing}: {error.strerror or error}") from None


def _served(doing: str, error: Exception) -> Exception:
    code = getattr(error, "code", None)
    text = re.sub(r"Stack trace:.*", "", str(error), flags=re.S)
    line = " ".join(re.sub(r"^.*?DB::Exception: ", "", text, flags=re.S).split())[:500]
    if code in FAULTS and not isinstance(error, ProgrammingError):
        return ValueError(f"the store cannot {doing}: {line}")
    if code == NOT_ENOUGH_SPACE or "No space left" in line or "errno: 28" in line:
        return _full(doing)
    if code in AUTHENTICATION_FAILED:
        return PermissionError(
            errno.EACCES, f"the store cannot {doing}: {line}; mend store.dsn or store.password_file"
        )
    if code == TOO_FEW_LIVE_REPLICAS:
        line += "; start the other replicas, or lower store.quorum"
    return OSError(errno.EIO, f"the store cannot {doing}: {line}")


def _full(doing: str) -> OSError:
    return OSError(errno.ENOSPC, f"the store cannot {doing}: its disk is full; free space there")
