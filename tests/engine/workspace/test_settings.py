"""Settings: what is in force, where it comes from, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deltaworks.engine.workspace.project import Origin, load_settings, open_lake
from deltaworks.engine.workspace.settings import Settings, find_settings
from deltaworks.errors import InvalidSettings, LocationFailed

TOML = 'lake = "tables"\nmodules = ["a", "b"]\n[executor]\nworkers = 3\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deltaworks.toml").write_text(TOML)
    return tmp_path


def listed(settings: Settings) -> dict[str, tuple[object, str]]:
    return {each.name: (each.value, str(each.given)) for each in settings.listed()}


def test_every_setting_says_where_it_comes_from(folder: Path) -> None:
    file = str(folder / "deltaworks.toml")

    assert listed(find_settings(folder, None, {})) == {
        "lake": (str(folder / "tables"), file),
        "modules": (("a", "b"), file),
        "executor.kind": ("threads", "default"),
        "executor.workers": (3, file),
        "executor.memory_mb": (None, "default"),
        "executor.target_file_bytes": (1024 * 1024 * 1024, "default"),
        "executor.scheduler": (None, "default"),
        "executor.tls": (None, "default"),
        "executor.resources": ({}, "default"),
        "queue.max_runs": (None, "default"),
        "queue.tags": ({}, "default"),
        "daemon.max_runs": (4, "default"),
        "daemon.warm": (2, "default"),
        "daemon.maintain": (None, "default"),
        "pools": ({}, "default"),
        "name": (folder.name, "default"),
        "durable": (True, "default"),
        "lake_storage": (None, "default"),
        "environment": (None, "default"),
    }


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(folder: Path) -> None:
    environ = {"DELTAWORKS_LAKE": "/elsewhere", "DELTAWORKS_WORKERS": "9"}

    assert listed(find_settings(folder, None, environ))["lake"] == ("/elsewhere", "DELTAWORKS_LAKE")
    assert listed(find_settings(folder, "/given", environ))["lake"] == ("/given", "--lake")


def test_an_empty_variable_says_nothing(folder: Path) -> None:
    assert find_settings(folder, None, {"DELTAWORKS_LAKE": ""}).lake == str(folder / "tables")


def test_settings_are_found_upward_and_in_a_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.deltaworks]\nmodules = ["a"]\n')
    below = tmp_path / "one" / "two"
    below.mkdir(parents=True)

    found = find_settings(below, None, {})

    assert (found.folder, found.lake) == (tmp_path, str(tmp_path / "lake"))
    assert listed(found)["modules"] == (("a",), str(tmp_path / "pyproject.toml"))
    assert listed(found)["lake"] == (str(tmp_path / "lake"), "default")


def test_a_file_or_a_module_stands_in_for_a_project(tmp_path: Path, folder: Path) -> None:
    of_file = load_settings(Origin(file=tmp_path / "x" / "tables.py"), {})
    of_module = load_settings(Origin(folder=folder, module="c"), {})

    assert of_file.lake == str(tmp_path / "x" / "lake")
    assert listed(of_module)["modules"] == (("c",), "--module")
    assert listed(of_module)["executor.workers"] == (2, "default")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("modules = []", "names no modules"),
        ('modules = ["a"]\nlaek = "x"', "no setting 'laek'. Did you mean 'lake'?"),
        ('modules = ["a"]\n[executor]\nworker = 3', "no setting 'executor.worker'. Did you mean 'executor.workers'?"),
        ('modules = ["a"]\n[executor]\nworkers = 0', "'executor.workers': .*, not 0"),
        ("modules =", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "deltaworks.toml").write_text(text)

    with pytest.raises(InvalidSettings, match=told):
        find_settings(tmp_path, None, {})


def test_the_queue_and_the_pools_are_limits(tmp_path: Path) -> None:
    text = 'modules = ["a"]\n[queue]\nmax_runs = 4\ntags = { "team=ops" = 1 }\n[pools]\nwarehouse = 2\n'
    (tmp_path / "deltaworks.toml").write_text(text)

    found = find_settings(tmp_path, None, {})

    assert (found.sharing.max_runs, found.sharing.tags, found.sharing.pools) == (4, {"team=ops": 1}, {"warehouse": 2})
    assert found.sharing.queues


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[pools]\nwarehouse = 0\n", "setting 'pools.warehouse': Input should be greater than or equal to 1, not 0"),
        ("[queue]\nmax_run = 1\n", "there is no setting 'queue.max_run'. Did you mean 'queue.max_runs'?"),
    ],
)
def test_a_limit_that_is_none_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "deltaworks.toml").write_text(f'modules = ["a"]\n{text}')

    with pytest.raises(InvalidSettings) as refused:
        find_settings(tmp_path, None, {})

    assert told in str(refused.value)


ENVIRONMENTS = """
modules = ["a"]
environment = "dev"
[environments.dev.resources.shop]
pages = 2
[environments.prod]
lake = "s3://prod/lake"
[environments.prod.resources.shop]
uri = { env = "SHOP_URI" }
key = "literal"
"""


def test_an_environment_gives_the_lake_and_the_values_of_resources(tmp_path: Path) -> None:
    file = tmp_path / "deltaworks.toml"
    file.write_text(ENVIRONMENTS)

    dev = listed(find_settings(tmp_path, None, {}))
    prod = listed(find_settings(tmp_path, None, {"DELTAWORKS_ENVIRONMENT": "prod", "SHOP_URI": "canary"}))

    assert (dev["environment"], dev["lake"]) == (("dev", str(file)), (str(tmp_path / "lake"), "default"))
    assert dev["resources.shop.pages"] == (2, str(file))
    assert (prod["environment"], prod["lake"]) == (("prod", "DELTAWORKS_ENVIRONMENT"), ("s3://prod/lake", str(file)))
    assert prod["resources.shop.uri"] == ("$SHOP_URI", "SHOP_URI")
    assert prod["resources.shop.key"] == ("**********", str(file))
    asked = find_settings(tmp_path, None, {"DELTAWORKS_ENVIRONMENT": "dev"}, "prod")
    assert listed(asked)["environment"] == ("prod", "--environment")


@pytest.mark.parametrize(
    ("text", "named", "told"),
    [
        ("[environments.prod]\n", "prd", "--environment names environment 'prd', which .* Did you mean 'prod'"),
        ("", "prod", r"which .*deltaworks.toml does not have. Write \[environments.prod\] into the file."),
        ("[environments.prod]\nlaek = 'x'\n", "prod", "no setting 'environments.prod.laek'. Did you mean 'environ"),
        ("[environments.prod]\nresources = 'x'\n", "prod", "'environments.prod.resources': Input should be a valid d"),
    ],
)
def test_an_environment_that_is_none_is_refused(tmp_path: Path, text: str, named: str, told: str) -> None:
    (tmp_path / "deltaworks.toml").write_text(f'modules = ["a"]\n{text}')

    with pytest.raises(InvalidSettings, match=told):
        find_settings(tmp_path, None, {}, named)


def test_a_file_without_settings_has_no_environments(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="names environment 'prod', but with -f or -m no settings file is read"):
        load_settings(Origin(file=tmp_path / "tables.py", environment="prod"), {})


LOCATIONS = """
[[locations]]
name = "shop"
modules = ["shop"]

[[locations]]
name = "finance"
python = "../venv/bin/python"
modules = ["finance.tables"]
working_directory = "code"
environment = { TOKEN = "canary", KEY = { env = "FINANCE_KEY" } }
environment_file = "finance.env"
"""


def test_locations_say_where_their_code_is_and_hide_their_variables(tmp_path: Path) -> None:
    (tmp_path / "deltaworks.toml").write_text(LOCATIONS)
    (tmp_path / "finance.env").write_text("# of the team\nexport NAME = 'a b'\n")

    settings = find_settings(tmp_path, None, {})

    shop, finance = settings.locations
    assert (shop.python, shop.folder) == (sys.executable, tmp_path)
    assert (finance.python, finance.folder) == (str(tmp_path.parent / "venv/bin/python"), tmp_path / "code")
    values = {name: value for name, (value, _) in listed(settings).items() if name.startswith("locations.finance.")}
    assert values["locations.finance.environment.TOKEN"] == "**********"
    assert values["locations.finance.environment.KEY"] == "$FINANCE_KEY"
    assert "canary" not in str(listed(settings))


def test_a_location_gets_its_own_variables_and_those_that_no_other_takes(tmp_path: Path) -> None:
    (tmp_path / "deltaworks.toml").write_text(LOCATIONS)
    (tmp_path / "finance.env").write_text("# of the team\nexport NAME = 'a b'\n")
    shop, finance = find_settings(tmp_path, None, {}).locations
    base = {"PATH": "/bin", "FINANCE_KEY": "k", "PYTHONPATH": "/host", "VIRTUAL_ENV": "/host"}

    assert shop.environ(base) == {"PATH": "/bin"}
    assert finance.environ(base) == {"PATH": "/bin", "FINANCE_KEY": "k", "NAME": "a b", "TOKEN": "canary", "KEY": "k"}
    (tmp_path / "finance.env").write_text("canary\n")
    with pytest.raises(LocationFailed, match=r"location 'finance': .*finance.env:1 is no NAME=value$"):
        finance.environ(base)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[[locations]]\nname = "a"\nmodules = ["x"]\npyhton = "y"\n', "Did you mean 'locations.0.python'?"),
        (
            '[[locations]]\nname = "a"\nmodules = []\n',
            "setting 'locations.0.modules': Tuple should have at least 1 item",
        ),
        ('[[locations]]\nname = "a/b"\nmodules = ["x"]\n', "setting 'locations.0.name': String should match pattern"),
        ('modules = ["y"]\n[[locations]]\nname = "a"\nmodules = ["x"]\n', "has both modules and [[locations]]"),
        (
            2 * '[[locations]]\nname = "a"\nmodules = ["x"]\n',
            "there are two locations 'a'; give each a name of its own",
        ),
    ],
)
def test_locations_that_make_no_sense_are_refused(tmp_path: Path, toml: str, said: str) -> None:
    (tmp_path / "deltaworks.toml").write_text(toml)

    with pytest.raises(InvalidSettings) as refused:
        find_settings(tmp_path, None, {})

    assert said in str(refused.value)


def test_a_project_is_called_by_its_name_or_else_its_folder(folder: Path) -> None:
    assert find_settings(folder, None, {}).name == folder.name

    (folder / "deltaworks.toml").write_text('name = "Sales"\nmodules = ["a"]\n')

    assert listed(find_settings(folder, None, {}))["name"] == ("Sales", str(folder / "deltaworks.toml"))


STORAGE = """
modules = ["a"]
lake = "s3://bucket/lake"
lake_storage = "minio"
[environments.prod]
lake = "az://box/lake"
lake_storage = "azure"
[storage.minio]
endpoint = "http://127.0.0.1:9000"
access_key_id = { env = "MINIO_KEY" }
secret_access_key = { env = "MINIO_SECRET" }
timeout_s = 5
[storage.azure]
account_name = "flights"
"""


def test_storage_is_shown_without_secrets_and_an_environment_names_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deltaworks.toml").write_text(STORAGE)
    monkeypatch.setenv("MINIO_KEY", "canary")
    monkeypatch.setenv("MINIO_SECRET", "canary")

    settings = find_settings(tmp_path, None, {})
    prod = find_settings(tmp_path, None, {}, "prod")

    file = str(tmp_path / "deltaworks.toml")
    assert listed(settings)["storage.minio.secret_access_key"] == ("$MINIO_SECRET", file)
    assert listed(settings)["storage.minio.endpoint"] == ("http://127.0.0.1:9000", file)
    assert "canary" not in f"{listed(settings)} {settings}"
    assert (open_lake(settings).root, open_lake(settings).profile) == ("s3://bucket/lake", "minio")
    assert (open_lake(settings).delta_options or {})["aws_secret_access_key"] == "canary"
    assert (open_lake(prod).root, open_lake(prod).profile) == ("az://box/lake", "azure")


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        (
            'lake_storage = "mini"\n[storage.minio]\n',
            "'lake_storage': there is no storage 'mini'. Did you mean 'minio'?",
        ),
        ('[environments.prod]\nlake_storage = "x"\n', "'environments.prod.lake_storage': there is no storage 'x'."),
        ('[storage.s]\nsecret_access_key = "canary"\n', 'put it in a variable and write { env = "NAME" }'),
        ("[storage.s]\nacess_key_id = 1\n", "Did you mean 'storage.s.access_key_id'?"),
        ("[storage.s]\ntimeout_s = 0\n", "setting 'storage.s.timeout_s': Input should be greater than 0"),
    ],
)
def test_storage_that_makes_no_sense_is_refused(tmp_path: Path, storage: str, said: str) -> None:
    (tmp_path / "deltaworks.toml").write_text(f'modules = ["a"]\n{storage}')

    with pytest.raises(InvalidSettings) as refused:
        find_settings(tmp_path, None, {})

    assert said in str(refused.value)
    assert "canary" not in str(refused.value)
