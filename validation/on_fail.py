"""On fail: what an author wants to happen when a rule does not hold.

Read from ``Field(metadata={"on_fail": ...})`` for the rules of a column and from ``Config.metadata`` for those of the
whole frame. Either one severity for all of them, or a mapping of rule names, with ``"*"`` for the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from deltaworks.errors import did_you_mean

EVERY_RULE = "*"
_PLANNED = frozenset({"drop", "quarantine"})


class Severity(StrEnum):
    """What a rule that does not hold means for the rows that were checked."""

    FAIL = "fail"
    """They are not committed."""
    WARN = "warn"
    """They are committed, and the record says what did not hold."""


@dataclass(frozen=True, slots=True)
class OnFail:
    """The severities that an author gave to the rules of one column, or of one frame."""

    by_rule: Mapping[str, Severity] = field(default_factory=dict[str, Severity])
    otherwise: Severity | None = None

    def severity(self, *names: str, raise_warning: bool = False) -> Severity:
        """Return the severity of the rule that is called by any of ``names``.

        A rule's own name says more than pandera's ``raise_warning``, and that says more than a severity for all rules.
        """
        for name in names:
            if name in self.by_rule:
                return self.by_rule[name]
        if raise_warning:
            return Severity.WARN
        return self.otherwise or Severity.FAIL

    def refuse_unknown(self, rules: Collection[str], owner: str) -> None:
        """Raise ``ValueError`` if a name is none of ``rules``, the names that rules of ``owner`` go by."""
        for name in self.by_rule:
            if name not in rules:
                known = ", ".join(sorted(rules)) or "none"
                hint = did_you_mean(name, rules, otherwise="")
                raise ValueError(f"on_fail of {owner} names {name!r}, but its rules are: {known}.{hint}")


def read_on_fail(metadata: object, owner: str) -> OnFail:
    """Read the ``on_fail`` entry of pandera metadata.

    Raises:
        ValueError: it is neither a severity nor a mapping of names to severities.
    """
    if not isinstance(metadata, Mapping):
        return OnFail()
    wanted = cast(Mapping[object, object], metadata).get("on_fail")
    if wanted is None:
        return OnFail()
    if not isinstance(wanted, Mapping):
        return OnFail(otherwise=_severity(wanted, owner))
    severities = {str(name): _severity(value, owner) for name, value in cast(Mapping[object, object], wanted).items()}
    return OnFail(otherwise=severities.pop(EVERY_RULE, None), by_rule=severities)


def _severity(value: object, owner: str) -> Severity:
    if isinstance(value, str) and value in _PLANNED:
        raise ValueError(
            f"on_fail of {owner} says {value!r}, which is planned; this version supports 'fail' and 'warn'."
        )
    try:
        return Severity(cast(str, value))
    except ValueError:
        raise ValueError(f"on_fail of {owner} says {value!r}; it can be 'fail' or 'warn'.") from None
