"""Files: which files a source consists of, and which partition each belongs to, told by their paths alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from deltaworks.errors import InvalidDefinition

KeyOfPath: TypeAlias = str | Callable[[str], str | None]
"""What tells a file's partition: a regular expression that is searched in its path, with one group or one that is
named `key`; or a function of the path, which returns none for a file of no partition."""

_WILD = re.compile(r"[*?[]")
_SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss")


@dataclass(frozen=True, eq=False, slots=True)
class Files:
    """The files that match a pattern."""

    base: str
    """The folder or URI that all of them lie in: the pattern up to its first wildcard."""
    below: str
    """The rest of the pattern."""
    key: Callable[[str], str | None] | None
    """The partition key of a path below the base; none: there are no partitions."""
    matcher: re.Pattern[str]

    @property
    def is_deep(self) -> bool:
        """Whether they may lie in folders of the base."""
        return "/" in self.below or self.below == "**"

    def matches(self, path: str) -> bool:
        """Return whether a file below the base is one of them."""
        return self.matcher.fullmatch(path) is not None

    def whole(self, path: str) -> str:
        """Return the full path or URI of a path below the base."""
        return f"{self.base}/{path}"


def read_files(pattern: str | Path, folder: Path, key: KeyOfPath | None) -> Files:
    """Read a pattern; a relative one starts at a folder.

    Raises:
        InvalidDefinition: it is no pattern, or the key is neither a function nor a regular expression with a group.
    """
    text = str(pattern)
    scheme = urlsplit(text).scheme if "://" in text else ""
    if scheme not in ("", "file", *_SCHEMES):
        raise InvalidDefinition(f"pattern {text!r} must be a path or begin with {'://, '.join(_SCHEMES)}://")
    start, path = f"{scheme}://", text.partition("://")[2]
    if scheme in ("", "file"):
        start, path = "/", (folder / (unquote(path) if scheme else Path(text).expanduser())).as_posix()
    parts = [part for part in path.split("/") if part]
    fixed = next((place for place, part in enumerate(parts[:-1]) if _WILD.search(part)), len(parts) - 1)
    if fixed < (scheme not in ("", "file")) or ".." in parts[fixed:] or text.endswith("/"):
        raise InvalidDefinition(f"pattern {text!r} must name files, as in 'data/*.parquet' or 's3://bucket/data/*.csv'")
    below = "/".join(parts[fixed:])
    try:
        matcher = re.compile(_expression(below), re.DOTALL)
    except re.error as error:
        raise InvalidDefinition(f"pattern {text!r} has brackets that make no sense: {error}") from error
    return Files(start + "/".join(parts[:fixed]), below, _read_key(key), matcher)


def _expression(pattern: str) -> str:
    """Return the regular expression of a pattern; as in a shell, no wildcard stands for a leading dot."""
    *folders, name = (f"{pattern}/*" if pattern.rpartition("/")[2] == "**" else pattern).split("/")
    found = [r"(?:(?!\.)[^/]+/)*" if part == "**" else _part(part) + "/" for part in folders]
    return "".join(found) + _part(name)


def _part(part: str) -> str:
    found = r"(?!\.)" if _WILD.match(part) else ""
    for token in re.findall(r"\[[!^]?\]?[^\]]*\]|.", part, re.DOTALL):
        match token:
            case "*":
                found += "[^/]*"
            case "?":
                found += "[^/]"
            case _ if len(token) > 1:
                inner = token[1:-1].replace("\\", r"\\")
                found += f"[^{inner[1:]}]" if inner[0] in "!^" else f"[{inner}]"
            case _:
                found += re.escape(token)
    return found


def _read_key(key: KeyOfPath | None) -> Callable[[str], str | None] | None:
    if key is None or callable(key):
        return key
    try:
        expression = re.compile(key)
    except re.error as error:
        raise InvalidDefinition(f"key {key!r} is no regular expression: {error}") from error
    group = "key" if "key" in expression.groupindex else 1
    if expression.groups != 1 and group != "key":
        raise InvalidDefinition(
            f"key {key!r} has {expression.groups} groups; the one that is the partition key is the only one or is "
            "named (?P<key>...)"
        )

    def key_of(path: str) -> str | None:
        found = expression.search(path)
        return None if found is None else found[group]

    return key_of
