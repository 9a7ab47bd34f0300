"""Servers of object stores on the loopback interface, each a process of its own that ends with this one.

moto speaks S3 and comes from the package index; Azurite speaks Azure's Blob protocol and comes from npm, which
`make test-stores` asks for it. Of the servers for Google's protocol that PyPI, npm and Debian offer,
`gcp-storage-emulator` writes whatever the condition says, and there is no other; so moto stands for it, told what
Google's clients say otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

BUCKET = "lakes"
ROOT = Path(__file__).parents[2]
AZURITE = ROOT / "build" / "azurite" / "node_modules" / ".bin" / "azurite-blob"

AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that Azurite is documented to have."""


@dataclass(frozen=True)
class Server:
    """A server that runs, with an empty bucket."""

    scheme: str
    port: int
    host: str = "127.0.0.1"

    @property
    def root(self) -> str:
        """Where all lakes of it lie."""
        return f"{self.scheme}://{BUCKET}"

    @property
    def environ(self) -> Mapping[str, str]:
        """What every client of it finds in its environment."""
        endpoint = f"http://{self.host}:{self.port}"
        if self.scheme == "s3":
            return {
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_ALLOW_HTTP": "true",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_REGION": "us-east-1",
            }
        if self.scheme == "gs":
            account = {"gcs_base_url": endpoint, "disable_oauth": True}
            nobody = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
            return {
                "GOOGLE_BASE_URL": endpoint,
                "GOOGLE_ALLOW_HTTP": "true",
                "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps({**account, **nobody}),
            }
        return {
            "AZURE_STORAGE_ENDPOINT": f"{endpoint}/{AZURE_ACCOUNT}",
            "AZURE_ALLOW_HTTP": "true",
            "AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
        }


@contextmanager
def moto() -> Iterator[Server]:
    """Serve S3."""
    with _served("s3", "tests.stores.serve_s3") as server:
        _ask(urllib.request.Request(f"http://{server.host}:{server.port}/{BUCKET}", method="PUT"))
        yield server


@contextmanager
def google() -> Iterator[Server]:
    """Serve what Google's clients ask, by a stand-in."""
    with _served("gs", "tests.stores.serve_s3", "google") as server:
        _ask(urllib.request.Request(f"http://{server.host}:{server.port}/{BUCKET}", method="PUT"))
        yield server


@contextmanager
def azurite() -> Iterator[Server]:
    """Serve Azure's Blob protocol.

    Raises:
        FileNotFoundError: Azurite is not installed.
    """
    if not AZURITE.exists():
        raise FileNotFoundError(f"Azurite is not in {AZURITE.parents[2]}: `make test-stores` installs it")
    with _served("az", "tests.stores.serve_azure") as server:
        _ask(_new_container(server))
        yield server


@contextmanager
def _served(scheme: str, module: str, *arguments: str) -> Iterator[Server]:
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Server(scheme, int(process.stdout.readline()))
        finally:
            process.stdin.close()  # at which it ends, as it does when this process dies
            process.wait(30)


def _ask(request: urllib.request.Request) -> None:
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status in (200, 201), response.status


def _new_container(server: Server) -> urllib.request.Request:
    """Ask for a container; clients of blobs cannot. Source: Azure Storage, "Authorize with Shared Key"."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    named = [f"{name}:{value}" for name, value in headers.items()]
    what = [f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{BUCKET}", "restype:container"]
    signed = "\n".join(["PUT", *([""] * 11), *named, *what])
    digest = hmac.new(base64.b64decode(AZURE_KEY), signed.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {AZURE_ACCOUNT}:{base64.b64encode(digest).decode()}"
    url = f"{server.environ['AZURE_STORAGE_ENDPOINT']}/{BUCKET}?restype=container"
    return urllib.request.Request(url, method="PUT", headers=headers)
