"""Versions: what must be the same where a run is coordinated and where its functions are called."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("deltaworks", "polars", "deltalake")
"""What workers unpickle, compute with and write by."""


def versions_here() -> dict[str, str]:
    """Return those of this process."""
    found = {"Python": f"{sys.version_info[0]}.{sys.version_info[1]}"}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # run from a folder that is on the path
            found[package] = "none"
    return found


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    """Say in what a worker differs; none: in nothing that matters."""
    wrong = {name: each for name, each in expected.items() if found.get(name) != each}
    if not wrong:
        return None
    has = ", ".join(f"{name} {found.get(name, 'none')}" for name in wrong)
    wants = ", ".join(f"{name} {each}" for name, each in wrong.items())
    return f"has {has}, expected {wants}, as where the run is coordinated: install the same on both"
