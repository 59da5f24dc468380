"""Errors of drivers become ValueError, OSError and what is under it, in one line with a mend."""

import errno

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_driver import errors

from pipeline.store.faults import faults

TEXT = "DB::Exception: What it is. Stack trace:\n0. something\n1. else"


def raised(error: Exception) -> Exception:
    with pytest.raises((ValueError, OSError)) as caught, faults("do it"):
        raise error
    return caught.value


@pytest.mark.parametrize("code", [62, 16, 47, 53, 117])
def test_what_a_retry_cannot_mend_is_a_value_error(code: int) -> None:
    """Codes of faults.tsv, from either driver."""
    for error in (errors.ServerException(TEXT, code), DatabaseError(TEXT, code=code)):
        assert type(raised(error)) is ValueError
        assert str(raised(error)) == "the store cannot do it: What it is."


@pytest.mark.parametrize(
    ("error", "number", "text"),
    [
        (errors.ServerException(TEXT, 241), errno.EIO, "What it is."),
        (errors.ServerException(TEXT, 243), errno.ENOSPC, "its disk is full; free space there"),
        (DatabaseError("Code: 76. (No space left on device)"), errno.ENOSPC, "its disk is full"),
        (errors.ServerException(TEXT, 285), errno.EIO, "start the other replicas, or lower store.quorum"),
        (errors.ServerException(TEXT, 193), errno.EACCES, "mend store.dsn or store.password_file"),
        (errors.NetworkError("Connection refused (h:1)"), errno.EIO, "Connection refused (h:1)"),
        (errors.SocketTimeoutError("(h:1)"), errno.EIO, "(h:1)"),
        (EOFError("Unexpected EOF while reading bytes"), errno.EIO, "Unexpected EOF"),
        (TimeoutError("timed out"), None, "timed out"),
        (OSError(errno.ENOSPC, "No space left on device"), errno.ENOSPC, "its disk is full"),
    ],
)
def test_what_may_mend_itself_is_an_os_error(error: Exception, number: int | None, text: str) -> None:
    """With the errno that fits, and what to do about it."""
    fault = raised(error)
    assert isinstance(fault, OSError)
    assert fault.errno == number
    assert text in str(fault)
    assert "\n" not in str(fault)


def test_rows_that_do_not_fit_are_a_value_error() -> None:
    """Arrow's refusal to convert is about the data."""
    assert isinstance(raised(pa.ArrowInvalid("Integer value 300 not in range: 0 to 255")), ValueError)
