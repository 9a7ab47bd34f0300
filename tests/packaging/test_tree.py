"""The tree stays easy to read, and says nothing about where it was written."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 400
LONGEST_TESTS = 600
HOSTS = "|".join(("pypi", "python" + "hosted", "npmjs", "yarnpkg", "anaconda"))  # spelled so that this file names none
PACKAGE_INDEX = re.compile(rf"({HOSTS})\.(org|com)|https?://\S+/simple\b|\bindex-url\b")


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Every text file that is, or is about to be, under version control."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("not a git clone")
    found = {}
    for name in listing.stdout.decode().split("\0"):
        path = ROOT / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            found[name] = content.decode()
    return found


def test_python_files_can_be_read_in_one_sitting(texts):
    lengths = {name: text.count("\n") for name, text in texts.items() if name.endswith(".py")}

    assert lengths
    assert {name: length for name, length in lengths.items() if length > _longest(name)} == {}


def test_no_file_names_a_package_index(texts):
    assert [name for name, text in texts.items() if PACKAGE_INDEX.search(text)] == []


def _longest(name: str) -> int:
    return LONGEST_TESTS if name.startswith("tests/") else LONGEST
