"""Hosts that share a store and nothing else, each of which can be cut off from it.

With the right to make network namespaces each host has one of its own, and a name of its own: a cut takes its link
down, and its processes cannot be seen from the other. Else it is a group of processes with a proxy of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.stores.proxy import Proxy, proxied
from tests.stores.servers import ROOT, Server

AHEAD_S = 180
"""How far ahead the clock of a host may be set."""


@dataclass
class Host:
    """A host."""

    name: str
    proxy: Proxy
    """How it reaches the store."""
    prefix: Sequence[str] = ()
    """What a command begins with that runs on it."""
    link: str | None = None
    clock: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables that set its clock."""

    def cut(self) -> None:
        """Take the store away."""
        if self.link is None:
            self.proxy.is_cut.set()
        else:
            _ip("link", "set", self.link, "down")

    def heal(self) -> None:
        """Give it back."""
        if self.link is None:
            self.proxy.heal()
        else:
            _ip("link", "set", self.link, "up")

    @contextmanager
    def started(self, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start a command in a project; at the end it is gone."""
        with (folder / f"{self.name}.log").open("a") as log:
            process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "deltaworks", *arguments],
                cwd=folder,
                env={**os.environ, **self.proxy.server.environ, **self.clock, "POLARS_MAX_THREADS": "1"},
                stdout=log,
                stderr=log,
                text=True,
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait()


def may_make_namespaces() -> bool:
    """Whether this process may make network namespaces."""
    probe = ["unshare", "--net", "--uts", "true"]
    try:
        return os.geteuid() == 0 and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def ahead() -> dict[str, str] | None:
    """The variables that set a clock ahead; none: the library that does it is not installed (Debian's `faketime`)."""
    name = "faketime/libfaketimeMT.so.1"
    found = [*Path("/usr/lib").glob(f"*/{name}"), *ROOT.glob(f"build/**/{name}")]
    if not found:
        return None
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": f"+{AHEAD_S}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@contextmanager
def in_groups(store: Server) -> Iterator[tuple[Host, Host]]:
    """Two hosts that are groups of processes."""
    with proxied(store) as first, proxied(store) as second:
        yield Host("first", first), Host("second", second)


@contextmanager
def in_namespaces(store: Server) -> Iterator[tuple[Host, Host]]:
    """Two hosts in network namespaces; the links between them and this one carry addresses that no network has."""
    with ExitStack() as stack:
        hosts = [stack.enter_context(_in_namespace(store, name, number)) for number, name in enumerate("ab", 1)]
        yield hosts[0], hosts[1]


@contextmanager
def _in_namespace(store: Server, name: str, number: int) -> Iterator[Host]:
    space = link = f"dw{os.getpid() % 1_000_000}{name}"
    here, there = f"198.18.{number}.1", f"198.18.{number}.2"  # RFC 2544: for benchmarks
    _ip("netns", "add", space)
    try:
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("addr", "add", f"{here}/30", "dev", link)
        _ip("link", "set", link, "up")
        _ip("-n", space, "addr", "add", f"{there}/30", "dev", "eth0")
        for each in ("eth0", "lo"):
            _ip("-n", space, "link", "set", each, "up")
        named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', f"host-{name}"]
        with proxied(store, here) as proxy:
            yield Host(f"host-{name}", proxy, ["ip", "netns", "exec", space, *named], link)
    finally:
        _ip("netns", "del", space)  # the link goes with it


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
