"""Commands about who may ask: `token`."""

import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from api.access import Access

token_app = typer.Typer(no_args_is_help=True, help="Tokens of the pages and the API.")


@contextlib.contextmanager
def _access(context: typer.Context) -> Iterator["Access"]:
    from api.access import Access
    from spanwatch.services import make_state

    settings = context.obj.settings()
    make_state(settings.state)
    with contextlib.closing(Access(settings.access_file)) as access:
        yield access


@token_app.command("create")
def create_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="whose it is")],
    role: Annotated[list[str], typer.Option(help="may be given several times")],
    days: Annotated[float, typer.Option(help="how long it holds")] = 365,
) -> None:
    """Make a token and print it, this once."""
    with _access(context) as access:
        try:
            print(access.create(name, role, days))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None


def _day(seconds: int | None, without: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds else without


@token_app.command("list")
def list_tokens(context: typer.Context) -> None:
    """All tokens: id, name, roles, until when, last used. The tokens themselves are kept by nobody."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("id", "name", "roles", "made", "until", "last used", box=None, pad_edge=False)
    with _access(context) as access:
        for token in access.list():
            until = "revoked" if token.revoked else _day(token.expires, "for ever")
            roles = ", ".join(token.roles)
            made, used = _day(token.created, ""), _day(token.last_used, "never")
            table.add_row(token.id, escape(token.name), roles, made, until, used)
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@token_app.command("revoke")
def revoke_token(
    context: typer.Context, token: Annotated[str, typer.Argument(metavar="ID", help="as in `token list`")]
) -> None:
    """End a token now."""
    with _access(context) as access:
        try:
            access.revoke(token)
        except KeyError as error:
            raise typer.BadParameter(str(error.args[0])) from None
    print(f"revoked {token}")
