"""Serve Azure's Blob protocol by Azurite, behind a proxy, until standard input is closed; the proxy's port is printed.

The proxy keeps what Azurite 3.37 does not: a list may begin at a name (`startFrom`), which delta-rs relies on when it
looks for new versions, and Azurite answers with the whole list. Source: Azure Storage REST API, "List Blobs".
"""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from urllib.parse import parse_qs, urlsplit

from tests.stores.proxy import Request, proxied
from tests.stores.servers import AZURITE, Server

BLOB = re.compile(rb"<Blob><Name>(.*?)</Name>.*?</Blob>", re.DOTALL)
OPTIONS = ["--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--silent"]


def main() -> None:
    """Serve."""
    with subprocess.Popen([str(AZURITE), *OPTIONS], stdout=subprocess.PIPE, text=True) as azurite:
        try:
            assert azurite.stdout is not None
            line = next(each for each in azurite.stdout if "successfully listens" in each)
            with proxied(Server("az", int(line.rpartition(":")[2])), mend=from_its_start) as proxy:
                print(proxy.server.port, flush=True)
                sys.stdin.read()
        finally:
            azurite.terminate()
            azurite.communicate(timeout=30)  # it says goodbye


def from_its_start(request: Request, content: bytes) -> bytes:
    """Leave out of a list what stands before its start."""
    query = parse_qs(urlsplit(request.path).query)
    if query.get("comp") != ["list"] or "startFrom" not in query:
        return content
    (start,) = query["startFrom"]
    return BLOB.sub(lambda blob: blob[0] if unescape(blob[1].decode()) >= start else b"", content)


if __name__ == "__main__":
    main()
