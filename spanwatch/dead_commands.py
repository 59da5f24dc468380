"""Commands about messages that no worker could use: `dead`. They work while other processes run."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.stream.log import Log

dead_app = typer.Typer(no_args_is_help=True, help="Messages that no worker could use.")


@contextlib.contextmanager
def _log(context: typer.Context) -> Iterator["Log"]:
    from pipeline.stream.log import Log

    settings = context.obj.settings()
    if not settings.log_file.exists():
        raise OSError(f"there is no log {settings.log_file}; give the sensor's state folder with --state")
    with contextlib.closing(Log(settings.log_file, settings.stream.log_bytes)) as log:
        yield log


def _time(us: int) -> str:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=us)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


@dead_app.command("list")
def list_dead(context: typer.Context) -> None:
    """Messages set aside, oldest first: one JSON object a line, with the reason."""
    with _log(context) as log:
        for dead in log.dead():
            spans = {name: _time(getattr(dead, name)) if dead.rows else None for name in ("first", "last")}
            print(json.dumps(dead._asdict() | spans | {"ts": _time(dead.ts)}, ensure_ascii=False))


@dead_app.command("replay")
def replay_dead(
    context: typer.Context,
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID...]", help="as in `dead list`; without any, all")
    ] = None,
) -> None:
    """Give them back to the workers, once the reason is mended. What fails again is set aside again."""
    with _log(context) as log:
        try:
            revived = log.revive(ids or ())
        except ValueError as error:
            raise typer.BadParameter(f"{error}; `spanwatch dead list` shows those there are") from None
    print(f"{revived} message{'' if revived == 1 else 's'} given back")
