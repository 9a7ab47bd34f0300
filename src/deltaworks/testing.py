"""What tests of assets and ops need: rows that keep a model, a clock that stands still.

    from deltaworks import testing

    df = testing.random_rows(Flight, 20, seed=1, carrier="UA")
    clock = testing.FrozenClock("2024-01-01")
    dw.materialize([flights], lake=tmp_path, resources={"files": FakeFiles()}, now=clock)

Assets and ops are plain functions: most tests call them with frames of their own. pytest finds the fixtures `lake` and
`frozen_clock` by itself.
"""

from __future__ import annotations

import datetime as dt

from deltaworks.errors import RequestError
from deltaworks.validation import minimal_rows, random_rows

__all__ = ["FrozenClock", "minimal_rows", "random_rows"]


class FrozenClock:
    """A clock that shows one instant until it is moved; give it as `now=`."""

    def __init__(self, at: str | dt.datetime = "2024-01-01") -> None:
        """Stop the clock.

        Args:
            at: an instant, or how ISO 8601 writes it; without a zone it is in UTC.

        Raises:
            RequestError: it is no instant.
        """
        self.at = _instant(at)

    def __call__(self) -> dt.datetime:
        """Return the instant that it shows, in UTC."""
        return self.at

    def advance(self, **units: float) -> dt.datetime:
        """Move the clock on, by `days=1, hours=2` and the like, and return what it shows then."""
        self.at += dt.timedelta(**units)
        return self.at

    def __repr__(self) -> str:
        return f"FrozenClock({self.at.isoformat()!r})"


def _instant(at: str | dt.datetime) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError as error:
        raise RequestError(f"{at!r} is no instant; write it like '2024-01-01T06:00'.") from error
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
