"""A real browser, headless, and a real server on the loopback interface.

It needs Chromium: `apt-get install chromium` on Debian. A page fails its test by any error on its console, any dialog,
and any request to another host.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import Browser, Page, Playwright

from deltaworks.engine.workspace.project import Origin
from deltaworks.web.app import create_app
from deltaworks.web.http.roles import Auth
from deltaworks.web.serve import listen
from deltaworks.web.workspace import Workspace

PATIENCE_MS = 60_000
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def program() -> str | None:
    """Return where Chromium is; none: it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def launched(playwright: Playwright, path: str) -> Browser:
    return playwright.chromium.launch(executable_path=path, args=_FLAGS)


@contextmanager
def serving(folder: Path, module: str = "tables.py") -> Iterator[str]:
    """Serve the project of a folder on any free port; yields its address."""
    origin = Origin(file=folder / module, lake=str(folder / "lake"))
    app = create_app(Workspace(origin, os.environ, lambda: dt.datetime.now(dt.UTC)), Auth())
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, ws="none"))
    with listen("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


@contextmanager
def watched(
    browser: Browser, width: int = 1280, scheme: str = "light", *, has_scripts: bool = True, has_policy: bool = True
) -> Iterator[Page]:
    """Open a page; whatever it does wrong fails the test at its end. Without the policy a test may add scripts."""
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=has_scripts,
        bypass_csp=not has_policy,
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: _note_foreign(request.url, wrong))
    try:
        yield page
        assert wrong == []
    finally:
        context.close()


def _note_foreign(url: str, wrong: list[str]) -> None:
    if urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname != "127.0.0.1":
        wrong.append(f"request to {url}")
