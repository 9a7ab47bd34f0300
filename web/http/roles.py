"""Roles: who may do what here, and by which token they are known.

Without tokens whoever reaches the server is the operator: it listens on the loopback interface alone then.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from deltaworks.errors import InvalidSettings

_SHORTEST = 16
"""Characters of a token: a shorter one can be guessed."""


class Role(StrEnum):
    """What somebody may do."""

    VIEWER = "viewer"
    """See everything."""
    OPERATOR = "operator"
    """Also start and stop things."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a request."""

    name: str
    """For the record of what was done."""
    role: Role


@dataclass(frozen=True, slots=True)
class Auth:
    """How a server knows its users."""

    tokens: Mapping[Role, str] = field(default_factory=dict[Role, str])
    """None: everybody is the operator."""
    hosts: frozenset[str] = frozenset()
    """The names, besides those of the loopback interface, by which browsers may call the server."""

    def by_token(self, token: str) -> Actor | None:
        """Return who has a token; none: nobody has."""
        found = [role for role, known in self.tokens.items() if hmac.compare_digest(known.encode(), token.encode())]
        return Actor(f"token:{found[0]}", found[0]) if found else None

    def by_session(self, session: str) -> Actor | None:
        """Return whose session it is; none: nobody's."""
        found = [role for role in self.tokens if hmac.compare_digest(self.session(role).encode(), session.encode())]
        return Actor(f"token:{found[0]}", found[0]) if found else None

    def session(self, role: Role) -> str:
        """Return what a browser keeps in place of a token: it says nothing of the token, and ends with it."""
        return hmac.new(self.tokens[role].encode(), f"session {role}".encode(), hashlib.sha256).hexdigest()


def token_of(file: Path) -> tuple[str, bool]:
    """Return the token that a file holds, and whether it was made just now, since there was no such file.

    Raises:
        InvalidSettings: the file cannot be used, others can read it, or what it holds is too short.
    """
    try:
        made = secrets.token_urlsafe(32)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as new:
            new.write(made + "\n")
    except FileExistsError:
        return _read_token(file), False
    except OSError as error:
        raise InvalidSettings(f"the token file {file} cannot be written: {error.strerror}") from error
    return made, True


def _read_token(file: Path) -> str:
    try:
        token, mode = file.read_text(encoding="utf-8").strip(), file.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"the token file {file} cannot be read: {error}") from error
    if mode & 0o077:
        raise InvalidSettings(f"others can read the token file {file}; `chmod 600 {file}` keeps it secret")
    if len(token) < _SHORTEST or not token.isascii():
        raise InvalidSettings(
            f"the token file {file} holds {len(token)} characters, expected at least {_SHORTEST} of ASCII; delete it, "
            "and a token is made"
        )
    return token
