"""Evaluation: what the function of a schedule or a sensor answered, taken apart and checked.

It comes from user code, so nothing is taken for granted: an answer of a wrong kind, a request that cannot be recorded
and a flood of requests are refused with one sentence, and nothing of such an answer is carried out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard, cast

from deltaworks.engine.automation.conditions.spelling import Spelled
from deltaworks.engine.definitions.automation.run_request import RunRequest, SkipReason
from deltaworks.errors import InvalidDefinition, did_you_mean
from deltaworks.io.run_plan import PlannedTable
from deltaworks.io.ticks import AskedRun

MOST_REQUESTS = 1_000
"""How many runs a tick may ask for; a job of assets makes as many partitions as it likes in one run."""

_LONGEST = 1_000
"""How many characters a run key, a partition key or a tag may have."""
_MOST_CONFIG = 100_000
"""How many characters the config of a request may have as JSON."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a tick asks for."""

    requests: tuple[RunRequest, ...] = ()
    """Each with the name of its job."""
    skip_reason: str | None = None
    """Why nothing is asked for; none: something is."""
    cursor: str | None = None
    """Of a sensor: what the next tick is told; none: what this one was told."""
    new_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Keys of dynamic partitions to add before the runs start, by the name of the partitions."""
    gone_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Keys to remove before that."""
    assets: tuple[Mapping[str, Spelled], ...] = ()
    """What conditions ask for, beside all requests: for each run, partitions by asset."""
    tables: Mapping[str, PlannedTable] = field(default_factory=dict[str, PlannedTable])
    """The tables of these assets as they were found."""
    left: Mapping[str, int] = field(default_factory=dict[str, int])
    """Of conditions: how many partitions wait, by asset."""


def read_answer(whose: str, answer: object, jobs: Collection[str], job: str | None) -> Evaluation:
    """Take an answer apart: a request, a reason to skip, nothing, or several of these, which may be generated.

    Args:
        whose: what answered, for messages: `schedule 'morning'`.
        answer: what its function returned.
        jobs: the names of the jobs that there are.
        job: the name of the job that is run if a request names none.

    Raises:
        InvalidDefinition: it is none of these. What a generator raises passes through.
    """
    requests: list[RunRequest] = []
    reasons: list[str] = []
    for each in _parts(whose, answer):
        match each:
            case SkipReason(reason):
                reasons.append(_text(whose, "skip reason", reason))
            case RunRequest():
                requests.append(_checked(whose, each, jobs, job))
                if len(requests) > MOST_REQUESTS:
                    raise InvalidDefinition(
                        f"{whose} asks for more than {MOST_REQUESTS:,} runs at one tick, so none of them is started; "
                        "ask for some at a time and keep the place in a cursor or in run keys, or run a job of assets "
                        "that makes many partitions at once"
                    )
            case _:
                raise InvalidDefinition(
                    f"{whose} answered {_shown(each)}; expected RunRequest, SkipReason, None or several RunRequests"
                )
    _refuse_doubles(whose, requests)
    if requests:
        return Evaluation(tuple(requests))
    return Evaluation(skip_reason="; ".join(reasons) or "it asked for nothing")


def with_tags(whose: str, evaluation: Evaluation, tags: Mapping[str, str]) -> Evaluation:
    """Return an evaluation whose requests have tags beside their own, which come first.

    Args:
        whose: what answered, for messages.
        evaluation: what it answered.
        tags: those of the schedule or sensor.

    Raises:
        InvalidDefinition: they cannot be recorded.
    """
    shared = _tags(whose, tags)
    requests = tuple(replace(each, tags={**shared, **each.tags}) for each in evaluation.requests)
    return replace(evaluation, requests=requests)


def asked_runs(evaluation: Evaluation, run_ids: Iterable[str]) -> tuple[AskedRun, ...]:
    """Return the requests as the ledger keeps them, each with its run's id."""
    ids = iter(run_ids)
    jobs = (
        AskedRun(next(ids), each.job or "", each.partition, each.run_key, dict(each.config), dict(each.tags))
        for each in evaluation.requests
    )
    of_conditions = (
        AskedRun(next(ids), "", assets=assets, tables={asset: evaluation.tables[asset] for asset in assets})
        for assets in evaluation.assets
    )
    return (*jobs, *of_conditions)


def _parts(whose: str, answer: object) -> Iterator[object]:
    if answer is None:
        return
    if isinstance(answer, RunRequest | SkipReason):
        yield answer
        return
    if not _are_several(answer):
        raise InvalidDefinition(
            f"{whose} answered {_shown(answer)}; expected RunRequest, SkipReason, None or several RunRequests"
        )
    yield from answer


def _are_several(answer: object) -> TypeGuard[Iterable[object]]:
    return isinstance(answer, Iterable) and not isinstance(answer, str | bytes | Mapping)


def _checked(whose: str, request: RunRequest, jobs: Collection[str], job: str | None) -> RunRequest:
    """Return a request with the name of its job, if it can be recorded."""
    name = request.job or job
    if name is None:
        raise InvalidDefinition(f"{whose} has no job of its own, so RunRequest(job=...) must name one")
    if name not in jobs:
        hint = did_you_mean(name, jobs, otherwise=" `deltaworks job list` shows which there are.")
        raise InvalidDefinition(f"{whose} asks for a run of job {_shown(name)}, which is not defined.{hint}")
    for what, given in (("tags", request.tags), ("config", request.config)):
        if not isinstance(cast("object", given), Mapping):
            raise InvalidDefinition(f"{whose} gives {_shown(given)} as the {what} of a RunRequest; expected a mapping")
    return RunRequest(
        None if request.partition is None else _text(whose, "partition", request.partition),
        None if request.run_key is None else _text(whose, "run key", request.run_key),
        _config(whose, request.config),
        _tags(whose, request.tags),
        _text(whose, "job", name),
    )


def _tags(whose: str, tags: Mapping[str, str]) -> dict[str, str]:
    return {_text(whose, "tag", key): _text(whose, f"value of tag {key!r}", value) for key, value in tags.items()}


def _config(whose: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config as JSON gives it back."""
    try:
        text = json.dumps(dict(config), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidDefinition(
            f"{whose} gives a RunRequest a config that cannot be written as JSON: {error}"
        ) from error
    if len(text) > _MOST_CONFIG:
        raise InvalidDefinition(
            f"{whose} gives a RunRequest a config of {len(text):,} characters; at most {_MOST_CONFIG:,} are recorded, "
            "so put the data into a table or a file and its place into the config"
        )
    values: dict[str, Any] = json.loads(text)
    return values


def plain(text: str) -> str:
    """Return a text as one that every process can read: that of a `StrEnum` pickles by its class, which is user code's.

    Args:
        text: a text of any class.
    """
    return str.__str__(text)


def _text(whose: str, what: str, text: object) -> str:
    if not isinstance(text, str) or not text:
        raise InvalidDefinition(f"{whose} gives {_shown(text)} as a {what}; expected a text that is not empty")
    if len(text) > _LONGEST:
        raise InvalidDefinition(f"{whose} gives a {what} of {len(text):,} characters; at most {_LONGEST:,} are allowed")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidDefinition(f"{whose} gives {_shown(text)} as a {what}, which is no valid Unicode") from error
    return plain(text)


def _refuse_doubles(whose: str, requests: Iterable[RunRequest]) -> None:
    seen: set[str] = set()
    for request in requests:
        if request.run_key is not None and request.run_key in seen:
            raise InvalidDefinition(
                f"{whose} asks twice for a run with the run key {request.run_key!r} at one tick; run keys tell runs "
                "apart"
            )
        if request.run_key is not None:
            seen.add(request.run_key)


def _shown(value: object) -> str:
    """Return what a value looks like, in a few characters, whatever its class does when it is asked."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - user code
        return f"a {type(value).__name__} whose repr raises {type(error).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."
