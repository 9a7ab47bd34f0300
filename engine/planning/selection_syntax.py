"""Selection syntax: what a selection says, as a tree; which assets that comes to is left to `selection`.

    any    =  all {"or" all}
    all    =  term {"and" term}
    term   =  "not" term  |  reach
    reach  =  [[levels] "+"] leaf ["+" [levels]]
    leaf   =  name  |  attribute ":" value  |  "(" any ")"

A name is an asset's key, or a pattern of keys: `raw/*`, in which `*` stands for slashes too. What holds a space, a
parenthesis, `+` or a quote, and a key that is a word of the syntax, is quoted as in a shell: `"and"`, `owner:'Ada Li'`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from deltaworks.errors import RequestError, did_you_mean

DEEPEST = 50
"""How many parentheses and `not` may lie within each other."""

_LONGEST_WORD = 1_000
_SHOWN = 60


class Attribute(StrEnum):
    """What assets may be selected by, other than their keys."""

    GROUP = "group"
    """The group that an asset is in."""
    TAG = "tag"
    """A tag, `tier=gold`, or a tag with any value, `tier`."""
    OWNER = "owner"
    """One of the owners."""
    KIND = "kind"
    """What sort of asset it is."""
    STATUS = "status"
    """The status of at least one of its partitions."""


@dataclass(frozen=True, slots=True)
class Name:
    """The asset of a key, or the assets whose keys match a pattern."""

    text: str


@dataclass(frozen=True, slots=True)
class Having:
    """The assets with a value of an attribute."""

    attribute: Attribute
    value: str


@dataclass(frozen=True, slots=True)
class Reach:
    """Assets with what they are made from, and with what is made from them."""

    of: Expression
    above: int | None
    """How many levels; none: all."""
    below: int | None
    """How many levels; none: all."""


@dataclass(frozen=True, slots=True)
class Not:
    """Every other asset."""

    of: Expression


@dataclass(frozen=True, slots=True)
class And:
    """The assets that each of several operands means."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """The assets that any of several operands means."""

    operands: tuple[Expression, ...]


Expression: TypeAlias = Name | Having | Reach | Not | And | Or


def parse(text: str) -> Expression:
    """Read a selection.

    Raises:
        RequestError: it does not follow the syntax; the sentence says where.
    """
    return _Parser(text).whole()


class _Kind(StrEnum):
    """What a token is; each but a word is spelled in one way."""

    WORD = "word"
    PLUS = "+"
    OPEN = "("
    CLOSE = ")"
    AND = "and"
    OR = "or"
    NOT = "not"
    END = ""


class _Token(NamedTuple):
    kind: _Kind
    text: str
    at: int


_TOKEN = re.compile(r"""[+()]|(?:[^\s()+"']++|"[^"]*+"|'[^']*+')++|["']""")
_QUOTED = re.compile(r"""(["'])(.*?)\1""", re.DOTALL)
_LEVELS = re.compile(r"[0-9]+")
_SPELLED = {kind.value: kind for kind in _Kind if kind is not _Kind.WORD}


def _tokens(text: str) -> list[_Token]:
    """Cut a text into tokens; the last is its end."""
    tokens: list[_Token] = []
    for found in _TOKEN.finditer(text):
        word, at = found[0], found.start()
        if word in {'"', "'"}:
            raise _refusal(text, at, "this quote is never closed")
        if len(word) > _LONGEST_WORD:
            raise _refusal(text, at, f"a word of {len(word):,} characters names nothing")
        tokens.append(_Token(_SPELLED.get(word, _Kind.WORD), word, at))
    return [*tokens, _Token(_Kind.END, "", len(text))]


class _Parser:
    """Recursive descent: a method for each rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Expression:
        if self._sees(_Kind.END):
            raise RequestError("A selection is empty; leave it out to mean every asset.")
        found = self._any()
        if self._sees(_Kind.CLOSE):
            raise self._refuse("this parenthesis was never opened")
        if not self._sees(_Kind.END):
            raise self._refuse(f"`and` or `or` is missing before {self._token.text!r}")
        return found

    def _any(self) -> Expression:
        operands = [self._all()]
        while self._takes(_Kind.OR):
            operands.append(self._all())
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _all(self) -> Expression:
        operands = [self._term()]
        while self._takes(_Kind.AND):
            operands.append(self._term())
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _term(self) -> Expression:
        if self._takes(_Kind.NOT):
            return Not(self._deeper(self._term))
        return self._reach()

    def _reach(self) -> Expression:
        above = self._above()
        leaf = self._leaf()
        below = self._below()
        return leaf if above == below == 0 else Reach(leaf, above, below)

    def _above(self) -> int | None:
        if self._takes(_Kind.PLUS):
            return None
        leads = self._sees(_Kind.PLUS, 1) and (self._sees(_Kind.WORD, 2) or self._sees(_Kind.OPEN, 2))
        if not leads or not _LEVELS.fullmatch(self._token.text):
            return 0  # what stands here is a leaf, be it a key of digits
        levels = self._levels()
        self._next += 1
        return levels

    def _below(self) -> int | None:
        if not self._takes(_Kind.PLUS):
            return 0
        return self._levels() if self._sees(_Kind.WORD) else None

    def _levels(self) -> int:
        text = self._token.text
        if not _LEVELS.fullmatch(text) or len(text) > 9:
            raise self._refuse(f"{text!r} is no number of levels; `or` joins what two selections mean")
        self._next += 1
        return int(text)

    def _leaf(self) -> Expression:
        opening = self._token
        if self._takes(_Kind.OPEN):
            found = self._deeper(self._any)
            if self._sees(_Kind.END):
                raise _refusal(self._text, opening.at, "this parenthesis is never closed")
            if not self._takes(_Kind.CLOSE):
                raise self._refuse(f"`and`, `or` or `)` is missing before {self._token.text!r}")
            return found
        if not self._sees(_Kind.WORD):
            raise self._refuse(_missing(opening))
        leaf = self._word(opening.text)
        self._next += 1
        return leaf

    def _word(self, text: str) -> Name | Having:
        attribute, colon, value = text.partition(":")
        if not colon or '"' in attribute or "'" in attribute:
            return Name(_unquoted(text))
        if attribute not in list(Attribute):
            known = ", ".join(f"{each}:" for each in Attribute)
            hint = did_you_mean(f"{attribute}:", [f"{each}:" for each in Attribute], f" There are {known}.")
            raise self._refuse(f"nothing is selected by {attribute + ':'!r}", hint)
        if not _unquoted(value):
            raise self._refuse(f"nothing stands after {text!r}")
        return Having(Attribute(attribute), _unquoted(value))

    def _deeper(self, part: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._refuse(f"more than {DEEPEST} parentheses and `not` lie within each other")
        found = part()
        self._depth -= 1
        return found

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _sees(self, kind: _Kind, ahead: int = 0) -> bool:
        at = self._next + ahead
        return at < len(self._tokens) and self._tokens[at].kind is kind

    def _takes(self, kind: _Kind) -> bool:
        """Go on to the next token if this one is of a kind."""
        found = self._sees(kind)
        self._next += found
        return found

    def _refuse(self, problem: str, hint: str = "") -> RequestError:
        return _refusal(self._text, self._token.at, problem, hint)


def with_upstreams(key: str) -> str:
    """Return the selection of an asset and all above it, as it is typed into a shell."""
    return f"""'+"{key}"'""" if key in _SPELLED else f"+{key}"


def _unquoted(text: str) -> str:
    return _QUOTED.sub(r"\2", text)


def _missing(token: _Token) -> str:
    """Say that what can be selected is missing where a token stands."""
    if token.kind is _Kind.END:
        return "an asset is missing"
    quoted = f'"{token.text}"'
    hint = f"; an asset of that name is written {quoted!r}" if token.text.isalpha() else ""
    return f"an asset is missing before {token.text!r}{hint}"


def _refusal(text: str, at: int, problem: str, hint: str = "") -> RequestError:
    """Say what is wrong where; of a long text, only what stands around it is shown."""
    where = f"character {at + 1:,}" if at < len(text) else "its end"
    start = max(0, min(at - _SHOWN // 2, len(text) - _SHOWN))
    before, after = "…" if start else "", "…" if start + _SHOWN < len(text) else ""
    return RequestError(f"Selection {before + text[start : start + _SHOWN] + after!r}, at {where}: {problem}.{hint}")
