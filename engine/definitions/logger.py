"""Logger: what an asset's function writes its messages to."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class Logger(_Adapter):
    """A standard logger that puts the asset and partition of the call before each message."""

    def __init__(self, subject: str) -> None:
        super().__init__(logging.getLogger("deltaworks.asset"), {})
        self.subject = subject

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[str, MutableMapping[str, Any]]:
        """Put the subject of the call before the message."""
        return f"{self.subject}: {msg}", kwargs
