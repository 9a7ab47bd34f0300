"""ResourceScope: the resources of one run in one process, each made ready once, and put away at the end."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from threading import RLock

from deltaworks.engine.definitions.resources import Resource, with_fields
from deltaworks.engine.execution.secret_values import SecretValues
from deltaworks.engine.execution.workers.capture import masking
from deltaworks.errors import RunError


class ResourceScope:
    """Resources with their `EnvVar`s read. Threads share them: each is made ready by the first that asks for it.

    What they print or log meanwhile, and when they are put away, is shown without secrets.
    """

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

    def masked(self, text: str) -> str:
        """Return a text without secrets."""
        return self.secrets.masked(text)

    def close(self) -> None:
        """Put away what is ready, the last one first.

        Raises:
            RunError: one could not be put away; the others were.
        """
        with self._lock:
            self._is_closed = True
            self._ready = {}
            try:
                with masking(self.masked):
                    self._stack.close()
            except Exception as error:
                self.secrets.scrub(error)
                raise RunError(f"a resource could not be put away: {self.masked(_text(error))}") from error

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
            with masking(self.masked):
                self._ready[id(defined)] = self._stack.enter_context(resource.for_run())
        except Exception as error:
            self.secrets.scrub(error)
            whose = f"resource {type(resource).__name__} could not be made ready"
            raise RunError(f"{whose}: {self.masked(_text(error))}") from error
        return self._ready[id(defined)]


@contextmanager
def resource_scope(resources: Iterable[Resource], environ: Mapping[str, str]) -> Generator[ResourceScope]:
    """Read the variables of resources, make each ready, and put all away at the end, the last one first.

    Raises:
        InvalidSettings: a variable is not set, or a value does not fit.
        RunError: a resource raised when it was made ready, or put away.
    """
    defined = list(resources)
    scope = ResourceScope(defined, environ)
    with ExitStack() as stack:
        stack.callback(scope.close)
        for resource in defined:
            scope.of(resource)
        yield scope


def _inner(resource: Resource) -> dict[str, Resource]:
    return {name: value for name, value in resource.__dict__.items() if isinstance(value, Resource)}


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
