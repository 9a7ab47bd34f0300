"""What deltaworks asks for is listed with its licence, which lets it be used anywhere.

What these bring in turn changes without us: `make hygiene` looks at all of it.
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LISTED = re.compile(r"^\| `([a-z0-9-]+)` \| ([^|]+?) \|", re.MULTILINE)
PERMISSIVE = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "PSF-2.0"}
SPELLED = {"MIT License": "MIT", "BSD License": "BSD-3-Clause", "Apache Software License": "Apache-2.0"}
"""How packages without an SPDX expression name their licence."""


def listed() -> dict[str, str]:
    return dict(LISTED.findall((ROOT / "docs/dependencies.md").read_text()))


def asked_for() -> set[str]:
    """The packages of the core and of every extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = (each for extra in project["optional-dependencies"].values() for each in extra)
    return {canonicalize_name(Requirement(each).name) for each in (*project["dependencies"], *extras)} - {"deltaworks"}


def licences_of(name: str) -> set[str]:
    """Under which licences it may be used, any of them."""
    found = metadata(name)
    expression = found.get("License-Expression")
    if expression is not None:
        return set(expression.split(" OR "))
    named = [each.rpartition(" :: ")[2] for each in found.get_all("Classifier") or () if each.startswith("License")]
    return {SPELLED.get(each, each) for each in named}


def test_every_package_is_listed_with_its_licence():
    assert listed() == {name: " or ".join(sorted(licences_of(name))) for name in asked_for()}


def test_every_package_may_be_used_anywhere():
    assert {name for name in asked_for() if not licences_of(name) & PERMISSIVE} == set()
