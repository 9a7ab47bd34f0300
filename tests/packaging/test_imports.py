"""What importing deltaworks costs its users: Polars only when it is needed, pandas never.

Pandera imports pandas wherever it finds it, which costs a second of every start: so no dependency may bring it along.
"""

import subprocess
import sys
from functools import cache
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

FACADE = "import deltaworks"
EVERYTHING = """
import pkgutil, deltaworks
for module in pkgutil.walk_packages(deltaworks.__path__, "deltaworks."):
    __import__(module.name)
"""


@cache
def modules_loaded_by(code: str) -> set[str]:
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    return set(done.stdout.split())


def everything_required_by(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    found = set()
    for requirement in map(Requirement, requires(name) or ()):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            found |= {requirement.name, *everything_required_by(requirement.name, frozenset(requirement.extras))}
    return found


@pytest.mark.parametrize("code", [FACADE, "import deltaworks.client"])
@pytest.mark.parametrize(
    "dependency",
    [
        "deltalake",
        "fastapi",
        "jinja2",
        "obstore",
        "pandera",
        "polars",
        "pydantic",
        "rich",
        "starlette",
        "typer",
        "uvicorn",
    ],
)
def test_the_facade_and_the_client_alone_load_no_dependency(dependency, code):
    assert dependency not in modules_loaded_by(code)


@pytest.mark.parametrize("stranger", ["dask.dataframe", "numpy", "pandas", "pyarrow"])
def test_all_modules_together_load_no_other_frame_library(stranger):
    loaded = modules_loaded_by(EVERYTHING)

    assert "polars" in loaded
    assert stranger not in loaded


@pytest.mark.parametrize("stranger", ["numpy", "pandas", "pyarrow"])
def test_no_dependency_brings_another_frame_library(stranger):
    required = everything_required_by("deltaworks")

    assert "polars" in required
    assert stranger not in required
