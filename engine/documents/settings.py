"""Settings as JSON and in words: what is in force, and where it comes from; secrets are masked."""

from __future__ import annotations

from typing import Any

from deltaworks.engine.workspace.settings import Settings


def settings_json(found: Settings) -> dict[str, Any]:
    """Return all settings as JSON."""
    return {
        "folder": str(found.folder),
        "settings": [
            {"setting": each.name, "value": each.value, "from": each.given.source.value, "name": each.given.name}
            for each in found.listed()
        ],
    }


def setting_text(value: object) -> str:
    """Return the value of a setting as people read it."""
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(map(str, value)) or "-"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        case dict():
            return ", ".join(f"{name} = {each}" for name, each in value.items()) or "-"  # pyright: ignore[reportUnknownVariableType]
        case _:
            return str(value)
