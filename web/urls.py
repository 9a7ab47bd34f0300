"""URLs: where everything is found. Every name from outside is quoted here and nowhere else."""

from __future__ import annotations

from urllib.parse import quote, urlencode

Value = str | int | None


def asset(key: object, /, *below: str, **query: Value) -> str:
    """Return the address of an asset's page, or of what lies below it."""
    return _joined("/assets", str(key), *below, **query)


def api_asset(key: object, /, *below: str, **query: Value) -> str:
    """Return the address of an asset in the API, or of what lies below it."""
    return _joined("/api/v1/assets", str(key), *below, **query)


def assets(**query: Value) -> str:
    """Return the address of the catalog."""
    return _joined("/assets", **query)


def overview(**query: Value) -> str:
    """Return the address of the first page."""
    return _joined("/", **query)


def lineage(**query: Value) -> str:
    """Return the address of the graph."""
    return _joined("/lineage", **query)


def runs(**query: Value) -> str:
    """Return the address of the list of runs."""
    return _joined("/runs", **query)


def run(run_id: str, *below: str, **query: Value) -> str:
    """Return the address of a run's page, or of what lies below it."""
    return _joined("/runs", run_id, *below, **query)


def automated(kind: str, name: str) -> str:
    """Return the address of the page of a schedule or a sensor."""
    return _joined(f"/{kind}s", name)


def api_run(run_id: str, *below: str, **query: Value) -> str:
    """Return the address of a run in the API, or of what lies below it."""
    return _joined("/api/v1/runs", run_id, *below, **query)


def job(name: str, *below: str, **query: Value) -> str:
    """Return the address of a job's page, or of what lies below it."""
    return _joined("/jobs", name, *below, **query)


def backfills(**query: Value) -> str:
    """Return the address of the list of backfills."""
    return _joined("/backfills", **query)


def new_backfill(**query: Value) -> str:
    """Return the address where a backfill is planned."""
    return _joined("/backfills/new", **query)


def audit(**query: Value) -> str:
    """Return the address of who had what changed."""
    return _joined("/audit", **query)


def with_query(path: str, /, **query: Value) -> str:
    """Return a path with a query; what is none or empty is left out."""
    given = [(name.rstrip("_"), value) for name, value in query.items() if value not in (None, "")]
    return f"{path}?{urlencode(given)}" if given else path


def _joined(path: str, /, *parts: str, **query: Value) -> str:
    return with_query("/".join((path, *(quote(part, safe="") for part in parts))), **query)
