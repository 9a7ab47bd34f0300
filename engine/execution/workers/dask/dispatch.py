"""Dispatch: the tasks of a run that have no outcome yet: who has them, and what becomes of them.

All of it happens in the thread of the event loop that the session is in.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, Final, Generic, cast

from distributed import KilledWorker
from distributed.client import FutureCancelledError

from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.workers.dask.bundle import Answer, Load, Sent, Sizes, Unbegun, Unfit
from deltaworks.engine.execution.workers.dask.crew import Call
from deltaworks.engine.execution.workers.dask.roster import Roster
from deltaworks.engine.execution.workers.dask.session import LEAVE_S, Session
from deltaworks.engine.execution.workers.executor import P, R
from deltaworks.errors import DeltaworksError, RunError, WorkerLost

TOGETHER_S: Final = 0.003
"""How long a task waits for others to go with, while the workers are busy."""

AGAIN_S: Final = 0.5
"""After so long a task is sent again that came to a worker that is not fit; Dask may well give it the same one."""


@dataclass(frozen=True, slots=True)
class _OnItsWay(Generic[P]):
    """A bundle whose answers are waited for."""

    future: Any
    """Dask's."""
    bundle: Sequence[Sent[P]]
    bound: frozenset[str]
    """The workers that alone may take it; none: any that offers what it asks for."""


class Dispatch(Generic[P, R]):
    """What of a run is on its way."""

    def __init__(self, session: Session, roster: Roster, crew: str, tell: Callable[[R], None]) -> None:
        """Begin with nothing.

        Args:
            session: gives bundles to workers.
            roster: knows these.
            crew: the name of those that carry them out.
            tell: takes the outcome of each task that is not taken back.
        """
        self._session, self._roster, self._crew, self._tell = session, roster, crew, tell
        self._waiting: dict[str, Sent[P]] = {}
        """By key: the tasks without an outcome."""
        self._unsent: list[Sent[P]] = []
        self._bundles: dict[asyncio.Task[None], _OnItsWay[P]] = {}
        """By what waits for their answers."""
        self._sizes = Sizes()
        self._taken = 0
        self.is_lost = False
        """Whether the scheduler is gone."""

    @property
    def waiting(self) -> int:
        """How many tasks have no outcome yet."""
        return len(self._waiting)

    @property
    def largest(self) -> int:
        """How many of those that wait go together at most; any thread may ask."""
        kinds = {sent.kind for sent in tuple(self._waiting.values())}
        return max(map(self._sizes.of, kinds), default=1)

    def take(self, task: P, limits: Limits, content: bytes, asked: Mapping[str, float]) -> None:
        """Let a task go, with those that come right after it.

        Args:
            task: what is to be carried out.
            limits: how far its call may go.
            content: the task, pickled.
            asked: what its worker must offer.
        """
        kind = task.where.split(" ")[0]
        load = Load(self._new_key(kind), task.where, limits, content)
        sent = Sent(task, load, kind, tuple(sorted(asked.items())))
        self._waiting[sent.key] = sent
        self._queue(sent)

    def take_again(self, keys: Iterable[str]) -> None:
        """Let tasks go once more that a worker has put off."""
        for key in keys:
            self._take_again(key)

    async def take_back(self) -> list[P]:
        """Take back the tasks that no worker has begun, and return them."""
        waiting = dict(self._waiting)
        try:
            begun = await self._session.revoke(list(waiting)) if waiting else set[str]()
        except OSError:  # the scheduler is gone, as others will see
            return []
        taken = [sent for key, sent in waiting.items() if key not in begun and key in self._waiting]
        for sent in taken:
            del self._waiting[sent.key]
        idle = [
            follower
            for follower, way in self._bundles.items()
            if not any(sent.key in self._waiting for sent in way.bundle)
        ]
        await self._session.drop([self._let_go(follower) for follower in idle])
        return [sent.task for sent in taken]

    async def rebind(self) -> None:
        """Let bundles go once more that only workers could take of which none is there any more."""
        astray = [each for each, way in self._bundles.items() if way.bound and not self._roster.has_any(way.bound)]
        bundles = [self._bundles[follower].bundle for follower in astray]
        futures = [self._let_go(follower) for follower in astray]
        for sent in chain.from_iterable(bundles):
            self._take_again(sent.key)
        if futures:
            await self._session.drop(futures)

    async def leave(self) -> None:
        """Wait for nothing any more."""
        self._waiting.clear()
        futures = [self._let_go(follower) for follower in list(self._bundles)]
        if futures and not self.is_lost:
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(self._session.drop(futures), LEAVE_S)

    def _new_key(self, kind: str) -> str:
        """Return a key that nothing else had."""
        self._taken += 1
        return f"{kind}-{self._crew.rpartition('-')[2]}-{self._taken}"

    def _let_go(self, follower: asyncio.Task[None]) -> Any:
        """Wait for the answers of a bundle no longer; return Dask's future."""
        follower.cancel()
        return self._bundles.pop(follower).future

    def _queue(self, sent: Sent[P]) -> None:
        if not self._unsent:
            is_busy = len(self._waiting) > self._roster.threads
            asyncio.get_running_loop().call_later(TOGETHER_S if is_busy else 0, self._send)
        self._unsent.append(sent)

    def _send(self) -> None:
        unsent = [each for each in self._unsent if each.key in self._waiting]
        self._unsent.clear()
        if self.is_lost:
            return
        # Twice as many bundles as threads: so there is a next one while the answers of one travel.
        share = len(self._waiting) // (2 * max(1, self._roster.threads))
        for resources, alike in groupby(self._sizes.bundles(unsent, share), key=lambda bundle: bundle[0].resources):
            bundles, asked = list(alike), dict(resources)
            fit = self._roster.fit_for(asked)
            if fit == []:
                self._hold(chain.from_iterable(bundles))
            else:
                self._send_to(fit, asked, bundles)

    def _hold(self, unsent: Iterable[Sent[P]]) -> None:
        """Wait for a worker that is fit, but not for ever where there are only others."""
        verdict = self._roster.verdict
        for sent in unsent:
            if verdict is None:
                asyncio.get_running_loop().call_later(AGAIN_S, self._queue, sent)
            else:
                reason = f"{sent.load.where}: {verdict.reason}"
                self._fail(sent, reason, RunError(reason))

    def _send_to(
        self, fit: Sequence[str] | None, resources: Mapping[str, float], bundles: Sequence[Sequence[Sent[P]]]
    ) -> None:
        keys = [bundle[0].key for bundle in bundles]
        calls = [Call(self._crew, [sent.load for sent in bundle]) for bundle in bundles]
        try:
            futures = self._session.submit(keys, calls, resources, fit)
        except Exception as error:  # noqa: BLE001 - whatever Dask refuses, none may wait for ever
            for sent in chain.from_iterable(bundles):
                self._fail(sent, f"{sent.load.where}: Dask did not take it: {type(error).__name__}: {error}", error)
            return
        for bundle, future in zip(bundles, futures, strict=True):
            follower = asyncio.get_running_loop().create_task(self._follow(bundle, future))
            self._bundles[follower] = _OnItsWay(future, bundle, frozenset(fit or ()) if resources else frozenset())

    async def _follow(self, bundle: Sequence[Sent[P]], future: Any) -> None:
        """Wait for what comes of a bundle."""
        try:
            answers: Sequence[Answer] = pickle.loads(await future)  # noqa: S301 - the run's own workers said it
        except KilledWorker as error:
            self._lose(bundle, f"its Dask worker {error.last_worker.address} is gone")
        except FutureCancelledError as error:  # not by this run, which lets go of what it cancels before that
            if error.reason == "scheduler-connection-lost":
                self.is_lost = True
            else:
                self._lose(bundle, f"somebody canceled it on the Dask cluster ({error.reason})")
        except Exception as error:  # noqa: BLE001 - no call said that, since what calls raise is an answer
            self._lose(bundle, f"its Dask worker said {type(error).__name__}: {error}")
        else:
            for sent, answer in zip(bundle, answers, strict=True):
                try:
                    self._hear(sent, answer)
                except Exception as error:  # noqa: BLE001 - whatever an answer holds, none may wait for ever
                    reason = f"{sent.load.where}: its outcome cannot be read: {type(error).__name__}: {error}"
                    self._fail(sent, reason, error)
        finally:
            self._bundles.pop(cast("asyncio.Task[None]", asyncio.current_task()), None)

    def _hear(self, sent: Sent[P], answer: Answer) -> None:
        """Take in what a worker says of a task."""
        match answer:
            case bytes():
                outcome: R = pickle.loads(answer)  # noqa: S301 - likewise
                self._sizes.note(sent.kind, outcome.took_s)
                self._end(sent, outcome)
            case DeltaworksError():
                self._fail(sent, str(answer), answer)
            case Unfit():
                self._roster.avoid(answer)
                self._take_again(sent.key, AGAIN_S)
            case Unbegun.PUT_OFF | Unbegun.TAKEN_BACK:  # of the latter, what was taken back waits no longer
                self._take_again(sent.key)

    def _take_again(self, key: str, delay_s: float = 0.0) -> None:
        sent = self._waiting.pop(key, None)
        if sent is None:
            return  # it was taken back meanwhile
        sent = replace(sent, load=replace(sent.load, key=self._new_key(sent.kind)))
        self._waiting[sent.key] = sent
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._queue, sent)
        else:
            self._queue(sent)

    def _lose(self, bundle: Sequence[Sent[P]], why: str) -> None:
        self._sizes.keep_apart(map(attrgetter("kind"), bundle))
        for sent in bundle:
            lost = WorkerLost(sent.load.where, why)
            self._fail(sent, str(lost), lost)

    def _fail(self, sent: Sent[P], reason: str, error: BaseException) -> None:
        self._end(sent, sent.task.failed(reason, error))

    def _end(self, sent: Sent[P], outcome: R) -> None:
        if sent.key in self._waiting:  # else it was taken back meanwhile
            self._tell(outcome)
            del self._waiting[sent.key]
