"""Source: the columns of a table as the Python source of a pandera model."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pandera.polars as pa
import polars as pl

_PLAIN: Mapping[pl.DataType, str] = {
    pl.Int64(): "int",
    pl.Float64(): "float",
    pl.String(): "str",
    pl.Boolean(): "bool",
    pl.Datetime("us"): "pl.Datetime",
}
_TAKEN = frozenset({"pa", "pl", "Annotated", "Config", *_PLAIN.values()})
"""Names that mean something else in the body of a model."""


def model_source(key: str, schema: Mapping[str, pl.DataType], never_null: Collection[str] = ()) -> str:
    """Return a module with a model of exactly these columns; all but some may be null.

    Args:
        key: of the asset, which the class is named after.
        schema: the columns.
        never_null: those that are known to have no nulls.

    Raises:
        ValueError: pandera has no way to declare a column.
    """
    names = _attributes(schema)
    lines = [_line(names[name], name, dtype, nullable=name not in never_null) for name, dtype in schema.items()]
    has_annotated = any("Annotated[" in line for line in lines)
    imports = [
        "import pandera.polars as pa",
        *(["import polars as pl"] if any("pl." in line for line in lines) else []),
    ]
    heading = [*(["from typing import Annotated", ""] if has_annotated else []), *imports, "", ""]
    described = f'    """What {key} holds."""'
    body = [f"class {_class_name(key)}(pa.DataFrameModel):", described, *(["", *lines] if lines else [])]
    return "\n".join([*heading, *body]) + "\n"


def _class_name(key: str) -> str:
    """Return `RawDailyCarrier` for `raw/daily_carrier`."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", key) if word]
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return f"Table{name}" if not name[:1].isalpha() or keyword.iskeyword(name) or name in _TAKEN else name


def _attributes(names: Collection[str]) -> Mapping[str, str]:
    """Return what each column is called in a class: its name, if that can be."""
    found = {name: name for name in names if _is_attribute(name)}
    for name in names:
        if name not in found:
            base = re.sub(r"\W+", "_", f"column_{name}", flags=re.ASCII).rstrip("_")
            taken = {*names, *found.values()}
            numbered = (base if number == 1 else f"{base}_{number}" for number in range(1, len(taken) + 2))
            found[name] = next(each for each in numbered if each not in taken)
    return found


def _is_attribute(name: str) -> bool:
    is_free = name not in _TAKEN and not hasattr(pa.DataFrameModel, name) and not name.startswith("_")
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name) and is_free


def _line(attribute: str, name: str, dtype: pl.DataType, *, nullable: bool) -> str:
    options = [*([f"alias={_quoted(name)}"] if attribute != name else []), *(["nullable=True"] if nullable else [])]
    field = f" = pa.Field({', '.join(options)})" if options else ""
    return f"    {attribute}: {_annotation(name, dtype)}{field}"


def _annotation(name: str, dtype: pl.DataType) -> str:
    if dtype in _PLAIN:
        return _PLAIN[dtype]
    if any(isinstance(part, pl.Map) for part in _parts(dtype)):
        raise ValueError(f"column {name!r} has dtype {dtype}, which pandera cannot declare")
    arguments = list(_arguments(dtype))
    kind = f"pl.{type(dtype).__name__}"
    return f"Annotated[{', '.join([kind, *arguments])}]" if arguments else kind


def _parts(dtype: pl.DataType) -> Iterator[pl.DataType]:
    yield dtype
    match dtype:
        case pl.List(inner=inner) | pl.Array(inner=inner):
            yield from _parts(_instance(inner))
        case pl.Struct(fields=fields):
            for field in fields:
                yield from _parts(_instance(field.dtype))
        case _:
            return


def _spelled(dtype: Any) -> str:
    instance = _instance(dtype)
    arguments = ", ".join(_arguments(instance))
    return f"pl.{type(instance).__name__}({arguments})" if arguments else f"pl.{type(instance).__name__}"


def _arguments(dtype: pl.DataType) -> Iterator[str]:
    """Yield what a dtype is made with."""
    match dtype:
        case pl.Datetime(time_unit=unit, time_zone=zone):
            yield _quoted(unit)
            yield "None" if zone is None else _quoted(zone)
        case pl.Duration(time_unit=unit):
            yield _quoted(unit)
        case pl.Decimal(precision=precision, scale=scale):
            yield f"{precision}"
            yield f"{scale}"
        case pl.Array(inner=inner, size=size):
            yield _spelled(inner)
            yield f"{size}"
        case pl.List(inner=inner):
            yield _spelled(inner)
        case pl.Struct(fields=fields):
            yield f"{{{', '.join(f'{_quoted(field.name)}: {_spelled(field.dtype)}' for field in fields)}}}"
        case pl.Enum(categories=categories):
            yield f"[{', '.join(map(_quoted, categories))}]"
        case _:
            return


def _instance(dtype: Any) -> pl.DataType:
    instance: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return instance


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
