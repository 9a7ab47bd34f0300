"""The suite tries the same generated cases at every run; `make soak` tries others each time.

Tests and the product are compiled once, not by each of the many processes that tests start. What a test writes is not
kept compiled: Python compares compiled files by the second, in which a test edits a module twice.
"""

from __future__ import annotations

import compileall
import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

PRODUCT = Path(__file__).parents[1] / "src" / "deltaworks"

settings.register_profile("suite", derandomize=True)
settings.load_profile("suite")

os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.dont_write_bytecode = False


def pytest_configure(config: pytest.Config) -> None:
    """Compile the product, before there are workers."""
    if not hasattr(config, "workerinput"):
        for folder in (PRODUCT, *filter(Path.is_dir, PRODUCT.iterdir())):  # links are not gone into
            compileall.compile_dir(folder.resolve(), quiet=2)


def pytest_collection_finish() -> None:
    """Keep nothing compiled from now on, and look for garbage only among what tests make, and less often."""
    sys.dont_write_bytecode = True
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
