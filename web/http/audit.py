"""Audit: every request that changes something is written down before it is answered.

A request that was refused has changed nothing and is not kept. One that is repeated under its `Idempotency-Key` is an
entry each time, which leads to the same run.
"""

from __future__ import annotations

import logging

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deltaworks.errors import StorageError
from deltaworks.io.audit import AuditEntry, new_entry_id, put_audit_entry
from deltaworks.web.http.doors import HARMLESS, SAFE
from deltaworks.web.http.problems import refusal
from deltaworks.web.http.roles import Actor
from deltaworks.web.workspace import Workspace

_log = logging.getLogger("deltaworks")


def tell_command(request: Request, command: str) -> None:
    """Say which command does what this request asks for; its entry has it."""
    request.state.command = command


class Audit:
    """The layer of the app in which changes are written down."""

    def __init__(self, app: ASGIApp, workspace: Workspace) -> None:
        self._app, self._workspace = app, workspace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and keep what it has changed."""
        if scope["type"] != "http" or scope["method"] in SAFE or scope["path"] in HARMLESS:
            await self._app(scope, receive, send)
            return
        is_replaced = False

        async def send_kept(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start" and not 400 <= message["status"] < 500:
                try:
                    await self._keep(scope, message["status"], Headers(raw=message["headers"]).get("location", ""))
                except StorageError as error:
                    is_replaced = True
                    _log.exception("%s %s is not in the audit", scope["method"], scope["path"])
                    title = "It was done, but could not be written down"
                    await refusal(Request(scope), 500, title, str(error))(scope, receive, send)
            if not is_replaced:
                await send(message)

        try:
            await self._app(scope, receive, send_kept)
        except Exception:
            await self._keep(scope, 500, "")
            raise

    async def _keep(self, scope: Scope, status: int, led_to: str) -> None:
        actor: Actor = scope["state"]["actor"]
        at = self._workspace.now()
        entry = AuditEntry(
            new_entry_id(at),
            at.isoformat(),
            actor.name,
            f"{scope['method']} {scope['path']}",
            scope["state"].get("command", ""),
            status,
            led_to,
        )
        await run_in_threadpool(lambda: put_audit_entry(self._workspace.store(), entry))
