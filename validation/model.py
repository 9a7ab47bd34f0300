"""Model: what a pandera model declares, as plain values.

Everything that the rest of the package needs is read off pandera's objects here, once a model. What a model asks for
and cannot be enforced before a commit is refused here too.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from types import FunctionType
from typing import Any, TypeGuard, cast

import pandera.polars as pa
import polars as pl
from pandera.engines import polars_engine
from pandera.errors import SchemaDefinitionError, SchemaErrors, SchemaInitError

from deltaworks.errors import InvalidContract, Place
from deltaworks.validation.check import DeclaredCheck, declare_check
from deltaworks.validation.on_fail import OnFail, Reaction, Severity, read_on_fail

_dtypes: Any = polars_engine  # pandera's dtypes have no types that a checker knows
_NestedModel: type[Any] = _dtypes.PanderaSchema
_CHECKED_BY_CASTING: tuple[type[Any], ...] = (_dtypes.PydanticModel, _dtypes.Category)

NOT_NULL = ("not_null", "nullable")
"""The names of the rule that a column has no nulls: what it says, and the word of ``pa.Field``."""
UNIQUE = "unique"

_TOLD = "_deltaworks_told_"
"""The name under which a model has what it declares, if that was told by another process."""


class UniqueScope(StrEnum):
    """Among which rows a value that has to be unique may not be there twice."""

    PARTITION = "partition"
    """Those of its partition."""
    TABLE = "table"
    """Those of the whole table."""


@dataclass(frozen=True, slots=True)
class DeclaredColumn:
    """A column of a model, or all columns that a pattern names."""

    name: str
    dtype: pl.DataType
    nullable: bool
    required: bool
    unique: bool
    coerce: bool
    """Other dtypes are to be cast to ``dtype``, by whoever writes the data and before a contract is compiled."""
    checks: tuple[DeclaredCheck, ...]
    on_fail: OnFail
    comment: str | None = None
    """What its author says about it: the description, else the title."""

    def rules(self) -> Iterator[tuple[str, Severity]]:
        """Yield what each of its rules asks, and what follows if it does not hold."""
        own = {NOT_NULL: not self.nullable, (UNIQUE,): self.unique}
        for names, is_asked in own.items():
            if is_asked:
                yield names[0], self.on_fail.reaction(*names).severity
        yield from ((check.meaning, check.reaction.severity) for check in self.checks)


@dataclass(frozen=True, slots=True)
class Declared:
    """What a model declares."""

    name: str
    model: type = field(repr=False)
    """The class itself."""
    columns: tuple[DeclaredColumn, ...]
    """Columns with a name of their own, in declaration order."""
    pattern_columns: tuple[DeclaredColumn, ...]
    """Columns declared by a regular expression, which is their ``name``. They never speak for ``columns``."""
    checks: tuple[DeclaredCheck, ...]
    """Checks of the whole frame."""
    keys: tuple[tuple[str, ...], ...]
    """Columns whose values together must be distinct (``Config.unique``)."""
    on_fail: OnFail
    """Of ``checks`` and ``keys``."""
    unique_scope: UniqueScope
    strict: bool
    ordered: bool
    coerce: bool
    """Every column is cast, not only those that say so."""

    @property
    def place(self) -> Place | None:
        """Where the class begins; None if it has no source file."""
        return _place(self.model)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The regular expressions that declare columns."""
        return tuple(column.name for column in self.pattern_columns)

    @property
    def builtin_only(self) -> bool:
        """Whether no check calls a function of the author's."""
        columns = (*self.columns, *self.pattern_columns)
        checks = (*self.checks, *(check for column in columns for check in column.checks))
        return all(check.builtin for check in checks)

    def taking_out(self) -> Iterator[str]:
        """Yield what each rule asks that leaves rows out, so that it is part of what the table's rows are."""
        for column in (*self.columns, *self.pattern_columns):
            for meaning, severity in column.rules():
                if severity.takes_out:
                    yield f"{column.name}: {meaning}, {severity}"
        if self.on_fail.reaction(UNIQUE).severity.takes_out:
            yield from (
                f"table: {UNIQUE} {', '.join(key)}, {self.on_fail.reaction(UNIQUE).severity}" for key in self.keys
            )
        for check in self.checks:
            if check.reaction.severity.takes_out:
                yield f"table: {check.meaning}, {check.reaction.severity}"

    def sifting(self, columns: Collection[str]) -> frozenset[str]:
        """Return the columns of a table that decide by a rule which rows are left out.

        A check of the whole frame, or one that its author wrote, may read every column.
        """
        found: set[str] = set()
        for declared, names in self._named(columns):
            severities = [check.reaction.severity for check in declared.checks if not check.builtin]
            if any(severity.takes_out for severity in severities):
                return frozenset(columns)
            if any(severity.takes_out for _, severity in declared.rules()):
                found.update(names)
        if any(check.reaction.severity.takes_out for check in self.checks):
            return frozenset(columns)
        if self.on_fail.reaction(UNIQUE).severity.takes_out:
            found.update(name for key in self.keys for name in key)
        return frozenset(found.intersection(columns))

    def _named(self, columns: Collection[str]) -> Iterator[tuple[DeclaredColumn, Collection[str]]]:
        """Yield each declared column with the names of a table's columns that it speaks for."""
        own = {column.name for column in self.columns}
        yield from ((column, (column.name,)) for column in self.columns)
        for column in self.pattern_columns:
            yield column, [name for name in columns if name not in own and re.fullmatch(column.name, name)]

    def check_functions(self) -> Iterator[FunctionType]:
        """Yield the author's functions in the model and those that it inherits from, in the order of their names."""
        found: dict[str, FunctionType] = {}
        for each in reversed(self.model.__mro__):
            if issubclass(each, pa.DataFrameModel) and each is not pa.DataFrameModel:
                methods = ((name, getattr(value, "__func__", None)) for name, value in vars(each).items())
                found |= {name: method for name, method in methods if isinstance(method, FunctionType)}
        return (found[name] for name in sorted(found))

    def without_checks(self) -> Declared:
        """Return what it says of columns, for a process that cannot call its checks and has no class for it."""
        columns, patterns = (
            tuple(replace(column, checks=()) for column in each) for each in (self.columns, self.pattern_columns)
        )
        nobody = cast("type", None)  # `declared_by` makes a class of its own
        return replace(self, model=nobody, columns=columns, pattern_columns=patterns, checks=())

    def schema(self) -> pl.Schema:
        """Return the required columns with a name of their own, in declaration order."""
        return pl.Schema({column.name: column.dtype for column in self.columns if column.required})


def is_model(annotation: object) -> TypeGuard[type[pa.DataFrameModel]]:
    """Tell whether an annotation is a class of pandera's Polars models."""
    return isinstance(annotation, type) and issubclass(annotation, pa.DataFrameModel)


@lru_cache(maxsize=16_384)
def declare(model: type) -> Declared:
    """Read a pandera model. The answer is kept.

    Raises:
        InvalidContract: pandera cannot build the model, or it asks for what cannot be enforced before a commit.
    """
    assert is_model(model)
    told = _told(model)
    if told is not None:
        return replace(told[0], model=model)
    try:
        schema: Any = model.to_schema()
    except (SchemaInitError, SchemaDefinitionError, TypeError, ValueError, NameError, AttributeError) as cause:
        raise InvalidContract(model.__name__, f"pandera cannot build it: {cause}", where=_place(model)) from cause
    try:
        _refuse_rewriting(schema)
        return _declared(model, schema)
    except ValueError as refusal:
        raise InvalidContract(model.__name__, str(refusal), where=_place(model)) from None


def declared_by(declared: Declared, place: Place | None) -> type[pa.DataFrameModel]:
    """Return a model that stands for one of another process.

    Args:
        declared: what that says, without a class.
        place: where that begins.
    """
    return type(declared.name, (pa.DataFrameModel,), {_TOLD: (declared, place)})


def _told(model: type) -> tuple[Declared, Place | None] | None:
    found: tuple[Declared, Place | None] | None = vars(model).get(_TOLD)
    return found


def _place(model: type) -> Place | None:
    told = _told(model)
    if told is not None:
        return told[1]
    try:
        file = inspect.getsourcefile(model)
    except (OSError, TypeError):
        return None
    line = _class_lines("".join(linecache.getlines(file))).get(model.__qualname__) if file else None
    return Place(file, line) if file and line else None


@lru_cache(maxsize=32)
def _class_lines(text: str) -> Mapping[str, int]:
    """Return where each class of a file begins, by its qualified name. `inspect` parses the file for every class."""
    lines: dict[str, int] = {}
    try:
        waiting: list[tuple[str, ast.AST]] = [("", ast.parse(text))]
    except SyntaxError:
        return {}
    for prefix, tree in waiting:
        for each in ast.iter_child_nodes(tree):
            match each:
                case ast.ClassDef(name=name):
                    first = each.decorator_list[0] if each.decorator_list else each
                    lines[prefix + name] = first.lineno
                    waiting.append((f"{prefix}{name}.", each))
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    waiting.append((f"{prefix}{name}.<locals>.", each))
                case ast.expr():
                    pass  # no class stands in one
                case _:
                    waiting.append((prefix, each))
    return lines


def _refuse_rewriting(schema: Any) -> None:
    """Raise ``ValueError`` for options that change data while it is validated, some of them without a word."""
    if schema.drop_invalid_rows:
        raise ValueError(
            "drop_invalid_rows hides wrong data, and keeps all of it where a column is missing or has another dtype. "
            "Filter the rows in the asset's function."
        )
    if schema.strict == "filter":
        raise ValueError("strict='filter' removes columns. Select them in the asset's function and set strict=True.")
    if schema.add_missing_columns:
        raise ValueError("add_missing_columns invents columns. Add them in the asset's function.")
    for name, column in schema.columns.items():
        if column.default is not None:
            raise ValueError(f"the default of column {name!r} replaces nulls. Fill them in the asset's function.")
        if isinstance(column.dtype, _NestedModel):
            _refuse_rewriting(column.dtype.schema)


def _declared(model: type[pa.DataFrameModel], schema: Any) -> Declared:
    config: Any = model.__config__
    on_fail = read_on_fail(config.metadata, "the model")
    columns: dict[str, Any] = schema.columns
    checks = tuple(declare_check(check, on_fail) for check in schema.checks)
    keys = _keys(schema.unique, columns)
    on_fail.refuse_unknown(_rule_names(checks, *([UNIQUE] if keys else [])), "the model")
    declared = [_column(name, column, schema.dtype, on_fail.otherwise) for name, column in columns.items()]
    if schema.dtype is not None and not declared:
        raise ValueError("it gives a dtype to all columns but declares none. Declare the columns.")
    unique_scope = _unique_scope(config.metadata)
    if unique_scope is UniqueScope.TABLE:
        own = (column.on_fail.reaction(UNIQUE).severity for column in declared if column.unique)
        severities = [*own, *([on_fail.reaction(UNIQUE).severity] if keys else [])]
        _refuse_leaving_out(next((severity for severity in severities if severity.takes_out), None))
    return Declared(
        name=model.__name__,
        model=model,
        columns=tuple(column for column in declared if not columns[column.name].regex),
        pattern_columns=tuple(column for column in declared if columns[column.name].regex),
        checks=checks,
        keys=keys,
        on_fail=on_fail,
        unique_scope=unique_scope,
        strict=bool(schema.strict),
        ordered=bool(schema.ordered),
        coerce=bool(schema.coerce),
    )


def _refuse_leaving_out(severity: Severity | None) -> None:
    if severity is not None:
        raise ValueError(
            f"unique is judged over the whole table, so no rows can be left out by {severity.value!r}; its on_fail can "
            "be 'fail' or 'warn'."
        )


def _unique_scope(metadata: Any) -> UniqueScope:
    entries: dict[str, Any] = metadata or {}
    wanted = entries.get("unique_scope", UniqueScope.PARTITION)
    try:
        return UniqueScope(wanted)
    except ValueError:
        raise ValueError(f"unique_scope of the model is {wanted!r}; it can be 'partition' or 'table'.") from None


def _column(name: str, column: Any, frame_dtype: Any, default: Reaction | None) -> DeclaredColumn:
    owner = f"column {name!r}"
    if column.regex:
        _refuse_bad_pattern(name)
    on_fail = read_on_fail(column.metadata, owner)
    if on_fail.otherwise is None:
        on_fail = replace(on_fail, otherwise=default)
    pandera_dtype = column.dtype if frame_dtype is None else frame_dtype
    checks = [declare_check(check, on_fail) for check in column.checks]
    if isinstance(pandera_dtype, _NestedModel):
        checks.append(declare_check(_nested_check(pandera_dtype), on_fail))
    own_rules = ([] if column.nullable else [*NOT_NULL]) + ([UNIQUE] if column.unique else [])
    on_fail.refuse_unknown(_rule_names(checks, *own_rules), owner)
    return DeclaredColumn(
        name=name,
        dtype=_dtype(owner, pandera_dtype),
        nullable=bool(column.nullable),
        required=bool(column.required),
        unique=bool(column.unique),
        coerce=bool(column.coerce) and not isinstance(pandera_dtype, _NestedModel),
        checks=tuple(checks),
        on_fail=on_fail,
        comment=column.description or column.title,
    )


def _refuse_bad_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as cause:
        raise ValueError(f"{pattern!r} is not a regular expression: {cause}.") from None


def _rule_names(checks: Iterable[DeclaredCheck], *others: str) -> set[str]:
    return {name for check in checks for name in check.names} | set(others)


def _dtype(owner: str, dtype: Any) -> pl.DataType:
    if isinstance(dtype, _CHECKED_BY_CASTING):
        raise ValueError(f"{owner} has dtype {dtype}, whose values are only checked by casting. Use a Polars dtype.")
    declared: Any = None if dtype is None else dtype.type
    if isinstance(declared, pl.Array) and len(declared.shape) > 1:
        raise ValueError(f"{owner} is an array of several dimensions, whose shape pandera misreads. Use pl.List.")
    if isinstance(declared, pl.DataType):
        return declared
    try:
        instance: pl.DataType = declared()
    except TypeError:
        raise ValueError(f"{owner} has no complete dtype, but {declared}. Write e.g. pl.List(pl.Int64).") from None
    return instance


def _keys(unique: Any, columns: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    if not unique:
        return ()
    groups: list[list[str]] = [unique] if all(isinstance(name, str) for name in unique) else unique
    patterns = [name for name, column in columns.items() if column.regex]
    for name in (name for group in groups for name in group):
        if name not in columns and not any(re.fullmatch(pattern, name) for pattern in patterns):
            raise ValueError(f"Config.unique names {name!r}, which is not one of its columns.")
    return tuple(tuple(group) for group in groups)


def _nested_check(dtype: Any) -> pa.Check:
    """Return a check that the structs of a column keep the nested model that is their dtype."""
    schema: Any = dtype.schema

    def keeps_nested_model(data: pa.PolarsData) -> bool:
        structs = data.lazyframe.select(data.key).drop_nulls().collect()
        try:
            schema.validate(structs.unnest(data.key), lazy=True)
        except SchemaErrors:
            return False
        return True

    return pa.Check(keeps_nested_model, name=f"model {schema.name}")
