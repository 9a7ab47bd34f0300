"""ResourceScope: the resources of one run in one process, each made ready once, and put away at the end."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from threading import RLock
from typing import Any

from deltaworks.engine.definitions.policies import error_names
from deltaworks.engine.definitions.resources import Resource, with_fields
from deltaworks.engine.execution.secret_values import SecretValues
from deltaworks.engine.execution.stop import GRACE_S
from deltaworks.engine.execution.workers.capture import masking
from deltaworks.errors import DeltaworksError, RunError


class ResourceScope:
    """Resources with their `EnvVar`s read. Threads share them: each is made ready by the first that asks for it."""

    def __init__(self, resources: Iterable[Resource], environ: Mapping[str, str]) -> None:
        """Read the variables of resources; none is made ready yet.

        Raises:
            InvalidSettings: a variable is not set, or a value does not fit.
        """
        self._defined = {id(resource): resource for resource in resources}
        self._resolved: dict[int, Resource] = {}
        for resource in self._defined.values():
            self._resolve(resource, environ)
        self._ready: dict[int, Resource] = {}
        self._stack = ExitStack()
        self._lock = RLock()
        self._is_closed = False
        self.secrets = SecretValues.of(self._resolved.values())

    @property
    def ready(self) -> Mapping[int, Resource]:
        """What is ready, by the id of what the definitions have."""
        return self._ready

    @property
    def is_set_up(self) -> bool:
        """Whether any of the resources has to be put away once it was asked for."""
        return any(resource.is_set_up() for resource in self._resolved.values())

    def of(self, defined: Resource) -> Resource:
        """Return a resource, ready to be used.

        Raises:
            RunError: it could not be made ready; the next that asks for it tries again.
        """
        with self._lock:
            if self._is_closed:
                raise RunError(f"resource {type(defined).__name__} was put away: the run is over")
            return self._entered(defined)

    def arguments(self, asked: Mapping[str, Resource] | None) -> dict[str, Any]:
        """Return what a function is given that asks for resources, by argument; see `of`."""
        return {argument: self.of(resource) for argument, resource in asked.items()} if asked else {}

    def masked(self, text: str) -> str:
        """Return a text without secrets."""
        return self.secrets.masked(text)

    @contextmanager
    def opened(self, note: Callable[[str], None] | None = None) -> Generator[None]:
        """Put away at the end what was made ready, and keep secrets out of all that the process tells until then.

        That is what it prints, what it logs, and the errors that get out of this.

        Args:
            note: is told what could not be put away; none: that is raised.

        Raises:
            RunError: something could not be put away; or an error got out that says a secret by itself.
        """
        with masking(self.masked) if self.secrets.stand_ins else nullcontext():
            try:
                try:
                    yield
                finally:
                    self._put_away(note)
            except Exception as error:
                shown = self.secrets.shown(error)
                if shown is error:
                    raise
                alone = "".join(traceback.format_exception_only(error))  # its notes are in it
                if isinstance(error, DeltaworksError) and self.masked(alone) == alone:
                    raise error from shown
                raise RunError(f"{type(error).__name__}: {self.masked(str(error))}") from shown

    def _put_away(self, note: Callable[[str], None] | None) -> None:
        """Put away what is ready, the last one first, and all of it whatever one of them raises."""
        self._is_closed = True
        problem, cause = "resources are not put away: one of them is being made ready still", None
        if self._lock.acquire(timeout=GRACE_S):
            problem, self._ready = "", {}
            try:
                self._stack.close()
            except Exception as error:  # noqa: BLE001 - authors' code raises anything
                problem, cause = f"a resource could not be put away: {self.masked(_text(error))}", error
            finally:
                self._lock.release()
        if problem and note is None:
            raise RunError(problem) from cause
        if problem and note is not None:
            note(problem)

    def _resolve(self, defined: Resource, environ: Mapping[str, str]) -> Resource:
        """Read the variables of a resource, after those of the resources in its fields, each once."""
        if id(defined) not in self._resolved:
            inner = {name: (each, self._resolve(each, environ)) for name, each in _inner(defined).items()}
            changed = {name: found for name, (each, found) in inner.items() if found is not each}
            self._resolved[id(defined)] = with_fields(defined, changed).resolve(environ)
        return self._resolved[id(defined)]

    def _entered(self, defined: Resource) -> Resource:
        """Make a resource ready, those in its fields first."""
        if id(defined) in self._ready:
            return self._ready[id(defined)]
        inner = {name: self._entered(each) for name, each in _inner(defined).items()}
        resource = with_fields(self._resolved[id(defined)], inner)
        try:
            self._ready[id(defined)] = self._stack.enter_context(resource.for_run())
        except Exception as error:
            whose = f"resource {type(resource).__name__} could not be made ready"
            raise RunError(f"{whose}: {self.masked(_text(error))}", names=error_names(error)) from error
        return self._ready[id(defined)]


@contextmanager
def resource_scope(resources: Iterable[Resource], environ: Mapping[str, str]) -> Generator[ResourceScope]:
    """Read the variables of resources, and put away at the end what was made ready of them; see `ResourceScope.opened`.

    Raises:
        InvalidSettings: a variable is not set, or a value does not fit.
    """
    scope = ResourceScope(resources, environ)
    with scope.opened():
        yield scope


def _inner(resource: Resource) -> dict[str, Resource]:
    return {name: value for name, value in resource.__dict__.items() if isinstance(value, Resource)}


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
