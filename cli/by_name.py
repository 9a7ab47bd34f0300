"""By name: the commands, each imported when somebody names it.

To import and describe all of them took a third of what `deltaworks --version` took; a command needs itself alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

_NAMES = (
    "init",
    "check",
    "list",
    "settings",
    "status",
    "why",
    "plan",
    "materialize",
    "backfill",
    "job",
    "schedule",
    "sensor",
    "daemon",
    "dev",
    "ui",
    "runs",
    "partitions",
    "history",
    "show",
    "lineage",
    "diff",
    "rollback",
    "wipe",
    "rerun",
    "maintain",
    "adopt",
    "automation",
    "alert",
    "doctor",
    "workspace",
)
"""In the order in which the help lists them."""


class CommandsByName(TyperGroup):
    """The group of all commands; those that nobody names are not imported."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # The commands of a group are a mapping that nothing but itself writes into.
        by_name: Any = _Imported()
        self.commands = by_name


class _Imported(Mapping[str, Any]):
    """Each command under its name, as the command line's library describes it."""

    def __init__(self) -> None:
        self._known = dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in _NAMES:
            raise KeyError(name)
        if name not in self._known:
            alone = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
            module = "list_" if name == "list" else name
            import_module(f"deltaworks.cli.commands.{module}").add_to(alone)
            self._known[name] = get_group(alone).commands[name]
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)
