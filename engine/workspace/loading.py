"""Loading: import a project's modules and collect what they define."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from deltaworks import errors
from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.asset_check import AssetCheck
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.engine.definitions.automation.sensor import Sensor
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.registry import collecting
from deltaworks.errors import DefinitionError, InvalidDefinition, ModuleNotLoaded, Place

_NOT_THE_AUTHORS = (
    "<",
    str(Path(errors.__file__).parent),
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
)


def load_modules(names: Iterable[str], folder: Path) -> Definitions:
    """Import modules by name, with `folder` first on the import path, and join what they define.

    Raises:
        DefinitionError: a module cannot be imported or defines something wrong; the message has file and line.
    """
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return Definitions.merge(*(_loaded(name, partial(importlib.import_module, name)) for name in names))


def load_file(file: Path) -> Definitions:
    """Import a single file and collect what it defines.

    Raises:
        DefinitionError: as `load_modules`.
    """
    if file.stem in sys.stdlib_module_names:
        raise InvalidDefinition(f"{file} has the name of a module of Python itself; rename it")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise InvalidDefinition(f"there is no Python file {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    sys.path.insert(0, str(file.resolve().parent))
    loader = spec.loader

    def run() -> ModuleType:
        loader.exec_module(module)
        return module

    return _loaded(str(file), run)


def _loaded(name: str, run: Callable[[], ModuleType]) -> Definitions:
    with collecting() as defined:
        module = _imported(name, run)
    units = [value for value in vars(module).values() if isinstance(value, Definitions)]
    if sum(not unit.repositories for unit in units) > 1:
        raise InvalidDefinition(
            f"module {name!r} has {len(units)} Definitions; join them with Definitions.merge, or give each of them a "
            "name with @repository"
        )
    if units:
        return Definitions.merge(*units)
    definitions = Definitions.from_module(module)
    _refuse_hidden(definitions, [asset for asset in defined.assets if asset.function.__module__ == module.__name__])
    _refuse_lost(definitions, [check for check in defined.checks if check.module == module.__name__])
    _refuse_unheld(definitions, [each for each in defined.automations if each.module == module.__name__])
    return definitions


def _refuse_lost(definitions: Definitions, defined: Iterable[AssetCheck]) -> None:
    """Refuse a check that no name of the module holds, so that nobody would run it."""
    for check in defined:
        if check not in definitions.checks:
            raise InvalidDefinition(
                f"asset check {str(check.key)!r} is not held by any name of the module, or a later one hides it, so it "
                "would never be run; give it a name of its own",
                where=check.where,
                asset=str(check.asset),
            )


def _refuse_unheld(definitions: Definitions, defined: Iterable[Schedule | Sensor]) -> None:
    """Refuse a schedule or sensor that no name of the module holds, so that nobody would ask it."""
    held = {id(each) for each in (*definitions.schedules.values(), *definitions.sensors.values())}
    for each in defined:
        if id(each) not in held:
            kind, never = ("schedule", "tick") if isinstance(each, Schedule) else ("sensor", "be asked")
            raise InvalidDefinition(
                f"{kind} {each.name!r} is not held by any name of the module, or a later one hides it, so it would "
                f"never {never}; give it a name of its own",
                where=each.where,
            )


def _refuse_hidden(definitions: Definitions, defined: Iterable[Asset[..., Any]]) -> None:
    """Refuse two assets of one key, of which the later hides the earlier in the module's namespace."""
    found = {asset.key: asset for asset in definitions.assets}
    for asset in defined:
        other = found.get(asset.key, asset)
        if other is not asset:
            raise InvalidDefinition(
                f"asset {str(asset.key)!r} is defined twice; the other definition is at {other.where}",
                where=asset.where,
                asset=str(asset.key),
            )


def _imported(name: str, run: Callable[[], ModuleType]) -> ModuleType:
    try:
        return run()
    except DefinitionError as error:
        if error.where is not None:
            raise
        raise InvalidDefinition(error.reason, where=_last_place(error), asset=error.asset) from error
    except SyntaxError as error:
        where = Place(error.filename, error.lineno or 1) if error.filename else None
        raise ModuleNotLoaded(name, error, where) from error
    except ModuleNotFoundError as error:
        is_itself = error.name is not None and f"{name}.".startswith(f"{error.name}.")
        raise ModuleNotLoaded(name, error, _last_place(error), is_absent=is_itself) from error
    except (Exception, SystemExit) as error:
        raise ModuleNotLoaded(name, error, _last_place(error)) from error


def _last_place(error: BaseException) -> Place | None:
    """Return the author's line that was being run: the last one that belongs neither to Python nor to a library."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_NOT_THE_AUTHORS)]
    return Place(own[-1].filename, own[-1].lineno or 1) if own else None
