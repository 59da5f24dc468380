"""Commands about the inventory: can it be read, and what does it say."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from spanwatch.invocation import refuse

inventory_app = typer.Typer(no_args_is_help=True, help="The inventory: which devices are whose.")

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="CSV files of devices; - is standard input")
]


@inventory_app.command("check")
def check_inventory(files: Files) -> None:
    """Whether files can be used as inventories of a policy; what is wrong with file, line and mend."""
    from classifiers.inventory import InventoryError, read_inventory

    problems = []
    for file in files:
        try:
            inventory = read_inventory(file)
        except InventoryError as error:
            problems.append(str(error))
            continue
        for doubt in inventory.doubts:
            print(doubt)
        devices = inventory.devices
        counts = ", ".join(
            f"{sum(bool(device[place]) for device in devices)} with {what}"
            for place, what in ((1, "a name"), (2, "an owner group"), (3, "a site"), (4, "tags"))
        )
        print(f"{file}: good; {len(devices)} MAC addresses, {counts}")
    refuse(problems)


@inventory_app.command("show")
def show_inventory(
    context: typer.Context,
    word: Annotated[str, typer.Argument(help="part of a MAC, name, owner group, site or tag")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON on a terminal, too")] = False,
) -> None:
    """The devices of the inventories in force, as the policy names them."""
    from classifiers.inventory_versions import read_inventories
    from classifiers.policy import load_policy
    from spanwatch.reload import policy_file

    path = policy_file(context.obj.settings())
    found = read_inventories(path, load_policy(path).inventory)
    wanted = word.lower().replace("-", ":") if word.count("-") == 5 else word.lower()
    rows = [
        {"mac": mac, **device._asdict(), "file": file}
        for mac, (file, device) in sorted(found.items())
        if any(wanted in text.lower() for text in (*device[:4], *device.tags))
    ]
    if as_json or not sys.stdout.isatty():
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        about = ", ".join(filter(None, (row["name"], row["owner_group"], row["site"], *row["tags"])))
        print(f"{row['mac']}  {about}  ({row['file']}:{row['line']})")
    if not rows:
        print(
            "no device" if found else "the policy names no inventory; see docs/identity.md", file=sys.stderr
        )
