"""CheckResult: what an asset check says of one partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from deltaworks.engine.definitions.recordable import record_problem

Fact: TypeAlias = str | int | float | bool | None
"""A value of a check's metadata."""

_SEVERITIES = (None, "fail", "warn")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Whether a partition passed, and what is to be remembered of it.

    Message and metadata stand in the log of the table, so nothing secret belongs there.
    """

    passed: bool
    metadata: Mapping[str, Fact] = field(default_factory=dict[str, Fact])
    """Figures and words, by name; they are recorded whether or not it passed."""
    severity: Literal["fail", "warn"] | None = None
    """What it means if it did not pass; none: `fail` for a blocking check, `warn` for others."""
    message: str | None = None
    """What was found instead of what was expected, for a sentence."""

    def __post_init__(self) -> None:
        """Refuse what would be misread, such as a null of Polars in the place of an answer."""
        if not isinstance(self.passed, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"passed must be True or False, not {self.passed!r}")
        if self.severity not in _SEVERITIES:
            raise ValueError(f"severity must be 'fail' or 'warn', or be left out, not {self.severity!r}")
        if not isinstance(self.message, str | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"message must be text, not {self.message!r}")
        if not isinstance(self.metadata, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"metadata must be a mapping of names to values, not {self.metadata!r}")
        # Whoever keeps the mapping may change it, up to the commit that records it.
        object.__setattr__(self, "metadata", dict(self.metadata))
        for name, value in self.metadata.items():
            problem = _fact_problem(name, value)
            if problem:
                raise TypeError(f"metadata {name!r} {problem}")


def _fact_problem(name: object, value: object) -> str | None:
    """Return why the log of a table cannot hold a value so that every reader can still open the table."""
    if not isinstance(name, str):
        return "must have text for its name"
    if not isinstance(value, Fact):
        return f"must be text, a number, a Boolean or None, not {value!r}"
    return record_problem(name) or record_problem(value)
