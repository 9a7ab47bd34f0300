"""A PostgreSQL of its own for tests, on the loopback interface, with a password.

It needs the server's programs: `apt-get install postgresql` on Debian, `brew install postgresql` on macOS.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

PATIENCE_S = 60
USER = "tester"
_INITDB = ("-U", USER, "--auth=scram-sha-256", "-E", "UTF8", "-N")


@dataclass(frozen=True)
class Postgres:
    """A server that runs."""

    port: int
    password: str

    def uri(self, database: str = "postgres", password: str | None = None) -> str:
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{USER}:{secret}@127.0.0.1:{self.port}/{database}"


def programs() -> Path | None:
    """Return the folder of the server's programs; none: it is not installed."""
    found = [Path(on_path).resolve().parent] if (on_path := shutil.which("initdb")) else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in found if (folder / "postgres").exists()), None)


@contextmanager
def serving(bin_: Path, password: str) -> Iterator[Postgres]:
    """Start a server; at the end it and its data are gone."""
    with tempfile.TemporaryDirectory(prefix="dw-pg-") as name:
        folder = Path(name)
        (folder / "password").write_text(password)
        # The server refuses to run as root.
        somebody: dict[str, Any] = {"user": "nobody", "group": os.stat(folder).st_gid} if os.getuid() == 0 else {}
        if somebody:
            for path in (folder, folder / "password"):
                shutil.chown(path, "nobody")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        subprocess.run(
            [bin_ / "initdb", "-D", folder / "data", *_INITDB, f"--pwfile={folder / 'password'}"],
            check=True,
            capture_output=True,
            cwd=folder,
            **somebody,
        )
        settings = (f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off")
        with subprocess.Popen(
            [bin_ / "postgres", "-D", folder / "data", *(word for each in settings for word in ("-c", each))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            **somebody,
        ) as server:
            try:
                _wait_for(bin_, port, server)
                yield Postgres(port, password)
            finally:
                server.terminate()
                server.wait(PATIENCE_S)


def _wait_for(bin_: Path, port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    asking = [bin_ / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(asking, check=False).returncode:
        assert server.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "the server does not begin"
        time.sleep(0.05)
