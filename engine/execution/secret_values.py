"""SecretValues: values that must not be written down, and texts without them."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from deltaworks.engine.definitions.policies import error_names
from deltaworks.engine.definitions.resources import Resource
from deltaworks.errors import RunError
from deltaworks.io.stores.reason import without_credentials

SHORTEST = 4
"""A shorter value would be found in half of all words."""

SHORTEST_LINE = 8
"""A shorter line of a value may be a word that stands elsewhere, too."""


@dataclass(frozen=True, slots=True)
class SecretValues:
    """The secret values of the resources of a run."""

    stand_ins: tuple[tuple[str, str], ...] = ()
    """Each value with what stands for it, the longest first."""

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> SecretValues:
        """Find what was read from the environment, and the values of secret fields."""
        hidden = [each for resource in resources for each in resource.hidden() if len(each[0]) >= SHORTEST]
        found = {part: shown for value, shown in hidden for part in _parts(value)} | dict(hidden)
        return cls(tuple(sorted(found.items(), key=lambda each: len(each[0]), reverse=True)))

    def masked(self, text: str) -> str:
        """Return a text without the secrets in it, and without credentials that object stores tell of."""
        text = without_credentials(text)
        for value, shown in self.stand_ins:
            text = text.replace(value, shown)
        return text

    def shown(self, error: BaseException) -> BaseException:
        """Return what a traceback may show of an exception and of all that led to it: itself, if it holds no secret."""
        text = "".join(traceback.format_exception(error))
        masked = self.masked(text)
        return error if masked == text else HiddenError(masked, names=error_names(error))


class HiddenError(RunError):
    """Stands for an exception whose traceback holds a secret: it says that traceback without, and no more.

    Retry policies know it by the names of the exception.
    """


def _parts(value: str) -> Iterator[str]:
    """Yield what messages and logs make of a value of several lines: one line of all, or each by itself."""
    collapsed = " ".join(value.split())
    if len(collapsed) >= SHORTEST:
        yield collapsed
    yield from (line for line in map(str.strip, value.splitlines()) if len(line) >= SHORTEST_LINE)
