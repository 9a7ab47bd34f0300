"""Alerts as JSON: messages to people, and how far they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deltaworks.engine.documents.instants import instant_json

if TYPE_CHECKING:
    from deltaworks.io.alerts import Delivery


def message_json(each: Delivery) -> dict[str, Any]:
    """Return a message as JSON."""
    return {
        "id": each.message_id,
        "alert": each.message.alert,
        "on": each.message.on,
        "title": each.message.title,
        "lines": list(each.message.lines),
        "is_over": each.message.is_over,
        "at": instant_json(each.message.at),
        "outcome": each.outcome.value,
        "attempts": each.attempts,
        "error": each.error,
        "retry_at": instant_json(each.retry_at),
    }
