"""What a user installs is the source folders, whole, under one name.

The wheel is built the way a release is: from the sdist, which is built from the tree. The links in src/deltaworks are
for editable installs only, so a folder or a facade file that pyproject.toml forgets is lost here and nowhere else.
"""

import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FACADE = ROOT / "src/deltaworks"
PACKAGES = sorted(link.name for link in FACADE.iterdir() if link.is_symlink())
OWN = sorted(module.parent.name for module in FACADE.glob("*/__init__.py") if not module.parent.is_symlink())

IMPORT_EVERYTHING = """
import pkgutil, sys
sys.path[:0] = sys.argv[1:]
import deltaworks
for module in pkgutil.walk_packages(deltaworks.__path__, "deltaworks."):
    __import__(module.name)
"""


def python(*args: str | Path, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *args], check=False, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_below(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with deltaworks installed from its wheel, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    python("-m", "build", "--no-isolation", "--outdir", folder / "dist", ROOT, cwd=folder)
    (wheel,) = folder.glob("dist/*.whl")
    python("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder / "site", wheel, cwd=folder)
    return folder / "site"


def test_the_wheel_holds_exactly_the_files_of_the_source_folders(site):
    sources = {path.name for path in FACADE.iterdir() if path.is_file()}
    for package in PACKAGES:
        sources |= {f"{package}/{path}" for path in files_below(ROOT / package)}
    for folder in OWN:
        sources |= {f"{folder}/{path}" for path in files_below(FACADE / folder)}

    assert files_below(site / "deltaworks") == sources


def test_every_module_of_the_wheel_can_be_imported(site):
    dependencies = sysconfig.get_path("purelib")

    # -I -S: no .pth file is read, so the editable install cannot stand in for the wheel.
    python("-I", "-S", "-W", "error", "-c", IMPORT_EVERYTHING, site, dependencies, cwd=site)


def test_the_wheel_adds_one_name_to_the_import_path(site):
    importable = {path.name for path in site.iterdir()} - {"bin"}

    assert {name for name in importable if not name.endswith(".dist-info")} == {"deltaworks"}


@pytest.mark.parametrize("package", [*PACKAGES, *OWN])
def test_the_type_checker_is_told_of_every_package(package):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())

    # pyright does not walk into links.
    assert f"src/deltaworks/{package}" in settings["tool"]["pyright"]["include"]
