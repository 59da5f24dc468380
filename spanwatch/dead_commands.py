"""Commands about messages that no worker could use: `dead`. They work while other processes run."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.settings import SettingsError

if TYPE_CHECKING:
    from pipeline.settings import KafkaSettings
    from pipeline.stream.log import Log

dead_app = typer.Typer(no_args_is_help=True, help="Messages that no worker could use.")

Local = Annotated[
    bool, typer.Option("--local", help="those of this host's log, though there is Kafka: the relay's")
]


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


def _line(fields: dict[str, Any]) -> str:
    """JSON of a message, its times as text; unknown ones are null."""
    for name in ("first", "last"):
        fields[name] = _time(fields[name]) if fields["rows"] else None
    return json.dumps(fields | {"ts": _time(fields["ts"])}, ensure_ascii=False)


def _on_kafka(context: typer.Context, local: bool) -> bool:
    return bool(context.obj.settings().stream.kafka.brokers) and not local


def _kafka_lines(settings: "KafkaSettings") -> Iterator[str]:
    from pipeline.stream.dead import listed
    from pipeline.stream.kafka_headers import NAMES, NUMBERS

    for dead in listed(settings):
        said = {name: getattr(dead.message, name, None) for name in (*NAMES, *NUMBERS)}
        yield _line(
            {"id": dead.id, **said, "size": dead.size, "reason": dead.reason, "ts": dead.ts}
            | dead.origin._asdict()
        )


@dead_app.command("list")
def list_dead(context: typer.Context, local: Local = False) -> None:
    """Messages set aside, oldest first: one JSON object a line, with the reason."""
    if _on_kafka(context, local):
        for line in _kafka_lines(context.obj.settings().stream.kafka):
            print(line)
        return
    with _log(context) as log:
        for dead in log.dead():
            print(_line(dead._asdict()))


@dead_app.command("replay")
def replay_dead(
    context: typer.Context,
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID...]", help="as in `dead list`; without any, all")
    ] = None,
    local: Local = False,
) -> None:
    """Give them back to the workers, once the reason is mended. What fails again is set aside again."""
    try:
        if _on_kafka(context, local):
            from pipeline.stream.dead import put_back

            revived = put_back(context.obj.settings().stream.kafka, ids or ())
        else:
            with _log(context) as log:
                revived = log.revive(ids or ())
    except SettingsError:
        raise
    except ValueError as error:
        raise typer.BadParameter(f"{error}; `spanwatch dead list` shows those there are") from None
    print(f"{revived} message{'' if revived == 1 else 's'} given back")
