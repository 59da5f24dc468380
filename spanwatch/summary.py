"""What a store holds, in a screenful: flows, names, categories, verdicts, findings, top talkers."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from pipeline.store.client import Store

QUERIES = Path(__file__).with_name("summary.sql")


def queries() -> dict[str, str]:
    """The named questions of `summary.sql`."""
    parts = QUERIES.read_text("utf-8").split("-- name: ")[1:]
    return {name.strip(): sql.strip() for name, _, sql in (part.partition("\n") for part in parts)}


def summarise(store: "Store") -> dict[str, list[dict[str, Any]]]:
    """Rows of each question of `summary.sql` by its name."""
    return {name: store.rows(sql) for name, sql in queries().items()}


def bytes_text(count: float) -> str:
    """`1.5 MB`: decimal units, as on a line's bill."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def standard_output() -> Console:
    """The terminal as wide as it is; in a pipe, wide enough for a finding's statement."""
    return Console() if sys.stdout.isatty() else Console(width=110)


def _table(title: str, *columns: tuple[str, str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name, side in columns:
        table.add_column(name, justify="right" if side == ">" else "left", no_wrap=side == ">")
    return table


def print_summary(summary: dict[str, list[dict[str, Any]]], seconds: float, console: Console) -> None:
    """Print it; a section without rows says that there is nothing rather than being left out."""
    flows, dns, health = (summary[name][0] for name in ("flows", "dns", "health"))
    console.print()
    if flows["rows"]:
        console.print(f"[bold]from[/] {flows['since']} [bold]to[/] {flows['until']}")
    share = 100 * flows["named"] / flows["flows"] if flows["flows"] else 0
    console.print(
        f"[bold]packets[/]    {health['packets']:,}, {bytes_text(flows['bytes'])} of IP; "
        f"dropped {health['dropped']:,}, malformed {health['malformed']:,}, cut short {health['truncated']:,}"
    )
    console.print(
        f"[bold]flows[/]      {flows['flows']:,} in {flows['rows']:,} rows, of {flows['clients']:,} hosts"
    )
    console.print(f"[bold]names[/]      {flows['names']:,} asked for; {share:.0f} % of the flows have one")
    console.print(
        f"[bold]dns[/]        {dns['questions']:,} questions for {dns['names']:,} names, "
        f"{dns['answered']:,} answered"
    )
    devices = ", ".join(f"{row['source']} {row['sightings']:,}" for row in summary["sightings"])
    console.print(f"[bold]sightings[/]  {devices or 'none'}")
    verdicts = ", ".join(f"{row['verdict']} {row['attempts']:,}" for row in summary["verdicts"])
    console.print(f"[bold]verdicts[/]   {verdicts or 'no attempts'}\n")

    table = _table("categories", ("category", "<"), ("hosts", ">"), ("flows", ">"), ("bytes", ">"))
    for row in summary["categories"]:
        table.add_row(row["category"], f"{row['clients']:,}", f"{row['flows']:,}", bytes_text(row["bytes"]))
    console.print(table if table.row_count else "categories: none", "")

    table = _table("top talkers", ("host", "<"), ("group", "<"), ("down", ">"), ("up", ">"), ("flows", ">"))
    for row in summary["talkers"]:
        table.add_row(
            row["host"],
            row["who"] or "-",
            bytes_text(row["down"]),
            bytes_text(row["up"]),
            f"{row['flows']:,}",
        )
    console.print(table if table.row_count else "top talkers: none", "")

    total = summary["findings_total"][0]["findings"]
    table = _table(f"findings ({total:,})", ("detector", "<"), ("severity", "<"), ("statement", "<"))
    for row in summary["findings"]:
        table.add_row(row["detector"], row["severity"], escape(row["statement"]))
    console.print(table if table.row_count else "findings: none", "")
    console.print(f"[bold]took[/]       {seconds:.1f} s")
