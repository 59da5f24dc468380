"""The command: what it is called with, and how an error becomes one line and an exit code.

The rooms are imported inside the commands: `--help` answers at once, and a sensor host needs neither
database nor web server.
"""

import errno
import logging
import os
import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from spanwatch import __version__
from spanwatch.backup_commands import backup, restore
from spanwatch.dead_commands import dead_app
from spanwatch.detect_commands import detect
from spanwatch.inventory_commands import inventory_app
from spanwatch.invocation import DONE, FAILED, USAGE, Invocation, capture_files
from spanwatch.list_commands import lists_app, lookup
from spanwatch.policy_commands import policy_app
from spanwatch.token_commands import token_app
from spanwatch.topic_commands import topics

#: As a shell reports a program that Ctrl-C ended.
INTERRUPTED = 130

ROOMS = ("spanwatch", "api", "capture", "classifiers", "pipeline", "blocklists")

#: Mends for what the operating system refuses.
MENDS = {
    errno.ENOSPC: "free some space there or choose another --state; what was taken so far is kept",
    errno.EDQUOT: "free some space there or choose another --state; what was taken so far is kept",
    errno.EROFS: "choose a folder that can be written, with --state",
    errno.EACCES: "run as root, or as a user who may do that",
    errno.EPERM: "run as root, or as a user who may do that",
    errno.ENOENT: "check the name",
    errno.EISDIR: "give a file, not a folder",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENOMEM: "lower sensor.ring_bytes, sensor.flows or sensor.heads in the settings",
}

app = typer.Typer(
    name="spanwatch",
    help="Network traffic and web-filter monitoring from a mirror port.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(dead_app, name="dead")
app.add_typer(inventory_app, name="inventory")
app.add_typer(lists_app, name="lists")
app.add_typer(policy_app, name="policy")
app.add_typer(token_app, name="token")
app.command("lookup")(lookup)
app.command("detect")(detect)
app.command("topics")(topics)
app.command("backup")(backup)
app.command("restore")(restore)

Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="captures; - is standard input")]
Interface = Annotated[str | None, typer.Option(help="network interface that receives the mirror")]
Host = Annotated[str | None, typer.Option(help="address that the pages are served on")]
Port = Annotated[int | None, typer.Option(min=0, max=65_535, help="port of the pages; 0: any free one")]


class Records(StrEnum):
    """What `spanwatch read` can print."""

    FLOWS = "flows"
    DNS = "dns"
    SIGHTINGS = "sightings"
    HEALTH = "health"
    FINDINGS = "findings"


class Format(StrEnum):
    """How `spanwatch read` prints it."""

    JSONL = "jsonl"
    PARQUET = "parquet"


def _version(wanted: bool) -> None:
    if wanted:
        print(f"spanwatch {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="settings file")] = None,
    state: Annotated[Path | None, typer.Option(help="folder of what must survive a restart")] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    context.obj = Invocation(config, state)


@app.command()
def demo(
    context: typer.Context,
    host: Host = None,
    port: Port = None,
    once: Annotated[bool, typer.Option("--once", help="do the work, print the summary, exit")] = False,
) -> None:
    """The bundled capture through everything, then pages until Ctrl-C."""
    from spanwatch.demo import run_demo

    run_demo(context.obj, context.obj.settings(api={"host": host, "port": port}), once=once)


@app.command()
def up(
    context: typer.Context,
    interface: Interface = None,
    host: Host = None,
    port: Port = None,
    sensor: Annotated[bool, typer.Option(help="start a sensor too; else it runs by itself")] = True,
) -> None:
    """Sensor, worker and API on this machine, until stopped."""
    from spanwatch.services import run_up

    settings = context.obj.settings(sensor={"interface": interface}, api={"host": host, "port": port})
    run_up(context.obj, settings, with_sensor=sensor)


@app.command()
def sensor(
    context: typer.Context,
    files: Annotated[list[str] | None, typer.Argument(metavar="[FILE...]", help="captures, not live")] = None,
    interface: Interface = None,
    processes: Annotated[int | None, typer.Option(min=1, help="processes that share the interface")] = None,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
    fanout: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Mirror port (or captures) into the log."""
    from spanwatch.sensing import run_sensor, run_sensors

    settings = context.obj.settings(sensor={"interface": interface, "processes": processes, "fanout": fanout})
    relays = bool(settings.stream.kafka.brokers) and not supervised
    if (settings.sensor.processes > 1 or relays) and not files:
        run_sensors(context.obj, settings, supervised=supervised)
    elif run_sensor(settings, capture_files(files or []), supervised=supervised):
        raise typer.Exit(FAILED)


@app.command()
def relay(
    context: typer.Context,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
) -> None:
    """This host's log to Kafka. A live sensor does that by itself where there is Kafka."""
    from spanwatch.relay import run_relay

    run_relay(context.obj.settings(), supervised=supervised)


@app.command()
def worker(context: typer.Context) -> None:
    """This host's log, or Kafka, into the store: classify, insert, detect."""
    from spanwatch.services import run_worker

    run_worker(context.obj.settings())


@app.command()
def serve(context: typer.Context, host: Host = None, port: Port = None) -> None:
    """Pages and API over the store."""
    from spanwatch.services import run_serve

    run_serve(context.obj.settings(api={"host": host, "port": port}))


@app.command()
def replay(context: typer.Context, files: Files) -> None:
    """Captures through the whole pipeline into the store; again adds nothing."""
    settings, names = context.obj.settings(), capture_files(files)
    from spanwatch.replay import run_replay

    if run_replay(settings, names):
        raise typer.Exit(FAILED)


@app.command()
def read(
    context: typer.Context,
    files: Files,
    records: Annotated[Records, typer.Option(help="what to print")] = Records.FLOWS,
    format_: Annotated[
        Format, typer.Option("--format", help="JSON, one object a line, or one Parquet file")
    ] = Format.JSONL,
) -> None:
    """Records of captures to standard output; no store, no service."""
    settings, names = context.obj.settings(), capture_files(files)
    from spanwatch.read import run_read

    if run_read(settings, names, records.value, format_.value):
        raise typer.Exit(FAILED)


@app.command()
def warm() -> None:
    """Compile the kernels into the cache, so that the next start is ready at once."""
    from spanwatch.warm import run_warm

    run_warm()


@app.command()
def bench(
    context: typer.Context,
    file: Annotated[str | None, typer.Argument(help="a capture; without one, one is made")] = None,
    packets: Annotated[int, typer.Option(min=1_000, help="frames of the made capture")] = 540_000,
    runs: Annotated[int, typer.Option(min=1, help="processes to measure")] = 5,
    compare: Annotated[bool, typer.Option(help="measure other installed programs, too")] = False,
    processes: Annotated[int, typer.Option(min=1, help="measure so many at the same time, too")] = 1,
    once: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """How fast this machine takes a capture: packets/s, Gbit/s, CPU, memory."""
    settings = context.obj.settings()
    if file is not None:
        capture_files([file])
    if once is not None:
        from spanwatch.measuring import measure

        if file is None:
            raise typer.BadParameter("--once needs a capture; give one")
        print(measure(file, settings.sensor, once))
        return
    from spanwatch.bench import run_bench

    run_bench(settings.sensor, file, packets, runs, compare=compare, processes=processes)


@app.command()
def doctor(
    context: typer.Context,
    interface: Interface = None,
    port: Port = None,
    listen: Annotated[float, typer.Option(min=0, help="seconds to listen on the interface; 0 don't")] = 5,
) -> None:
    """Check this machine: privileges, interface, mirror, clock, disk, store, port; each with its mend."""
    from spanwatch.doctor import run_doctor

    if not run_doctor(context.obj.settings(sensor={"interface": interface}, api={"port": port}), listen):
        raise typer.Exit(FAILED)


def describe(error: Exception) -> tuple[str, int]:
    """The line that an error gets, and the exit code. Unexpected ones say how to see more."""
    if isinstance(error, typer.TyperException):
        text = " ".join(error.format_message().split())
        text = text.removeprefix("Invalid value: ").rstrip(".")
        return text if ";" in text else f"{text}; see `spanwatch --help`", error.exit_code
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.split(".")[0] not in ROOMS:
        return f"this needs the server packages: {error.name} is missing; make setup EXTRAS=server", USAGE
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        mend = MENDS.get(error.errno)
        text = f"{where}{error.strerror}" + (f"; {mend}" if mend and ";" not in error.strerror else "")
        return text, USAGE if isinstance(error, FileNotFoundError) else FAILED
    if isinstance(error, ValueError | OSError | RuntimeError) and str(error):
        wrong_setting = type(error).__name__ in (
            "SettingsError",
            "PolicyError",
            "ListError",
            "InventoryError",
        )
        return " ".join(str(error).split()), USAGE if wrong_setting else FAILED
    name = type(error).__name__
    return f"unexpected {name}: {error}; set SPANWATCH_DEBUG=1 to see where, and tell us", FAILED


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns 0 done, 1 the work failed, 2 wrong usage or configuration."""
    logging.basicConfig(level=logging.WARNING, format="spanwatch: %(message)s")
    for told in ("spanwatch.sensor", "spanwatch.reload", "spanwatch.relay"):
        logging.getLogger(told).setLevel(logging.INFO)
    try:
        code: Any = typer.main.get_command(app)(arguments, standalone_mode=False)
        sys.stdout.flush()
        return int(code or DONE)
    except SystemExit as leaving:
        # Typer leaves with 1 on a closed pipe. The reader has what it wanted, so all is well; and the
        # interpreter must not flush into the closed pipe when it ends.
        if not isinstance(leaving.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return DONE
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except ChildProcessError as error:
        # A process of ours has had its line.
        return int(error.args[0])
    except Exception as error:
        if os.environ.get("SPANWATCH_DEBUG"):
            traceback.print_exc()
        if isinstance(error, typer.TyperException) and error.message.startswith("Usage:"):
            print(error.message)
            return USAGE
        line, code = describe(error)
        print(f"spanwatch: {line}", file=sys.stderr)
        return code
