"""Modules and cron expressions that are not what they should be: each is told in one sentence, and nothing breaks."""

from __future__ import annotations

import random
import re

import pytest

from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.errors import DeltaworksError
from tests.acceptance.conftest import Here
from tests.acceptance.test_doctor import MODULE
from tests.campaign.recorder import Row, recorded

GOOD = (
    MODULE.replace("SIZE", "3")
    + """
job = dw.define_asset_job("job", "numbers+", partitions=days)

@dw.schedule(job=job, cron="0 6 * * *", timezone="America/New_York")
def morning(tick: dw.Tick) -> dw.RunRequest:
    return dw.RunRequest(partition=days.key_before(tick.scheduled_at))
"""
)
SIGNS = "0123456789*/,-#L? abcMON.%\t\x00é"


def mutated(chance: random.Random) -> str:
    """The good module with one to three things wrong: characters, words or lines are lost, doubled or swapped."""
    parts = re.split({0: "()", 1: r"(\W)", 2: r"(\n)"}[chance.randrange(3)], GOOD)
    for _ in range(chance.randint(1, 3)):
        place, other = chance.randrange(len(parts)), chance.randrange(len(parts))
        match chance.randrange(3):
            case 0:
                parts[place] = ""
            case 1:
                parts[place] += parts[other]
            case _:
                parts[place], parts[other] = parts[other], parts[place]
    return "".join(parts)


def check_modules(row: Row, here: Here, count: int) -> None:
    chance = row.chance
    here.write("deltaworks.toml", 'modules = ["numbers_"]\n')
    refused = 0
    for _ in range(count):
        text = mutated(chance)
        here.write("numbers_.py", text)
        with row.one():
            done = here.run("check", "--json")
            assert done.code in (0, 2), text
            assert "Traceback" not in done.err, text
            problems = done.json["problems"]
            assert (done.code == 0) is not bool(problems), text
            assert all(each["message"] and "\n" not in each["message"] for each in problems), text
            refused += bool(problems)
    row.note = f"{refused:,} of {count:,} were refused"


def check_crons(row: Row, count: int) -> None:
    chance, understood = row.chance, 0
    for _ in range(count):
        fields = [
            chance.choice(("*", "0", "1-5", "*/15", "L", "5#2", "".join(chance.choices(SIGNS, k=3)))) for _ in range(5)
        ]
        text = " ".join(fields[: chance.choice((5, 5, 5, 5, 4, 6))])
        with row.one():
            try:
                Cron(text)
                understood += 1
            except DeltaworksError as error:
                assert str(error).count("\n") == text.count("\n"), text  # noqa: PT017
    row.note = f"{understood:,} of {count:,} mean something"


def test_some_malformed_modules_and_crons_are_told(here: Here) -> None:
    with recorded("malformed modules") as row:
        check_modules(row, here, 12)
    with recorded("malformed crons") as row:
        check_crons(row, 200)


@pytest.mark.soak
def test_many_malformed_modules_and_crons_are_told(here: Here) -> None:
    with recorded("malformed modules") as row:
        check_modules(row, here, 2_500)
    with recorded("malformed crons") as row:
        check_crons(row, 2_500)
