"""Client: what can be asked of one server, typed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deltaworks.client.connection import Connection, Query, path_of
from deltaworks.client.values import (
    Asset,
    AutomationKind,
    Document,
    Job,
    Launched,
    Plan,
    Run,
    StatusRange,
    asset_of,
    job_of,
    launched_of,
    plan_of,
    run_of,
    status_range_of,
)
from deltaworks.errors import UnknownRun

POLL_S = 0.5
"""How often a run that is followed is looked at."""

STARTING_S = 60.0
"""For how long a run may be unknown that is waited for: its process has to start."""


class Client:
    """Calls one server. Every method raises as `request` does."""

    def __init__(self, address: str, *, token: str | None = None, timeout_s: float = 60.0) -> None:
        """Know where the server is; nothing is sent yet.

        Args:
            address: as `deltaworks ui` tells it.
            token: of an operator, or of a viewer, who starts nothing; none: the server is on this machine.
            timeout_s: how long an answer may keep one waiting.

        Raises:
            RequestError: the address is none of a server.
        """
        self._connection = Connection(address, token, timeout_s)

    def request(
        self,
        method: str,
        path: str,
        query: Query = (),
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Call any endpoint, and return its document.

        Raises:
            RequestError: the server refuses it.
            ServerError: the server cannot be reached, or it broke.
        """
        return self._connection.request(method, path, query, body, headers)

    # Assets

    def assets(self, select: Sequence[str] = ()) -> Iterator[Asset]:
        """Yield assets with their status; `select` as on the command line, none: every asset."""
        return map(asset_of, self._connection.rows("/api/v1/assets", "assets", _selected(select)))

    def asset(self, name: str) -> Asset:
        """Return one asset with its status."""
        return asset_of(self._get(path_of("assets", name)))

    def status(self, name: str) -> tuple[StatusRange, ...]:
        """Return which partitions of an asset have which status, and why."""
        return tuple(map(status_range_of, self._get(path_of("assets", name, "status"))["ranges"]))

    def why(self, name: str, partitions: Sequence[str] = ()) -> Document:
        """Return why partitions are as they are, down to commits and code, as `deltaworks why --json`."""
        return self._get(path_of("assets", name, "why"), [("partition", key) for key in partitions])

    def history(self, name: str, *, limit: int = 20, before: int | None = None) -> Sequence[Document]:
        """Return the latest commits of a table, or those before a version, as `deltaworks history --json`."""
        query = [("limit", str(limit)), *([] if before is None else [("before", str(before))])]
        found: Sequence[Document] = self.request("GET", path_of("assets", name, "history"), query)
        return found

    def schema(self, name: str) -> Document:
        """Return the columns of an asset, what its model asks of them, and the versions that changed them."""
        return self._get(path_of("assets", name, "schema"))

    def checks(self, name: str) -> Document:
        """Return what is asked of an asset's rows, whether it held in the last commits, and what failed."""
        return self._get(path_of("assets", name, "checks"))

    def metrics(self, name: str) -> Document:
        """Return the numbers that the commits of an asset tell."""
        return self._get(path_of("assets", name, "metrics"))

    def preview(
        self, name: str, *, version: int | None = None, partition: str | None = None, limit: int = 100
    ) -> Document:
        """Return the first rows of an asset, as `deltaworks show --json`."""
        given = {"version": version, "partition": partition, "limit": limit}
        query = [(field, str(value)) for field, value in given.items() if value is not None]
        return self._get(path_of("assets", name, "preview"), query)

    def lineage(self, name: str, column: str | None = None) -> Document:
        """Return what an asset, or a column of it, is made of and goes into, as `deltaworks lineage --json`."""
        if column is None:
            return self._get(path_of("assets", name, "lineage"))
        return self._get(path_of("assets", name, "column-lineage"), [("column", column)])

    def graph(self, select: Sequence[str] = ()) -> Document:
        """Return which asset is made from which, each with its worst status."""
        return self._get("/api/v1/graph", _selected(select))

    # Plans, and what makes runs

    def plan(
        self,
        select: Sequence[str] = (),
        *,
        partitions: Sequence[str] = (),
        start: str | None = None,
        end: str | None = None,
        only: Sequence[str] | None = None,
    ) -> Plan:
        """Return what a backfill would make; nothing runs.

        Args:
            select: as on the command line; none: every asset.
            partitions: keys, one by one.
            start: the first key of a range.
            end: the last key of the range, included.
            only: missing, stale, failed, external, all; none: what `deltaworks backfill` makes.
        """
        return plan_of(self.request("POST", "/api/v1/plans", body=_asked(select, partitions, start, end, only=only)))

    def backfill(
        self,
        select: Sequence[str] = (),
        *,
        partitions: Sequence[str] = (),
        start: str | None = None,
        end: str | None = None,
        only: Sequence[str] | None = None,
        plan_hash: str | None = None,
        idempotency_key: str | None = None,
    ) -> Launched:
        """Start a backfill; it goes on when the client, or the server, ends.

        Args:
            select: as for `plan`, like all that are not told here.
            partitions: as for `plan`.
            start: as for `plan`.
            end: as for `plan`.
            only: as for `plan`.
            plan_hash: of the plan that was looked at; none: whatever is due.
            idempotency_key: a call with a key that was used before returns what that one returned, and starts nothing.

        Raises:
            PlanChanged: it would not be the plan that was looked at.
        """
        body = _asked(select, partitions, start, end, only=only, plan_hash=plan_hash)
        return self._launch("/api/v1/backfills", body, idempotency_key)

    def materialize(
        self,
        select: Sequence[str],
        *,
        partitions: Sequence[str] = (),
        start: str | None = None,
        end: str | None = None,
        idempotency_key: str | None = None,
    ) -> Launched:
        """Start making partitions, whatever their status; arguments are those of `backfill`."""
        return self._launch("/api/v1/runs", _asked(select, partitions, start, end), idempotency_key)

    def jobs(self) -> Iterator[Job]:
        """Yield the jobs that there are."""
        return map(job_of, self._connection.rows("/api/v1/jobs", "jobs"))

    def job(self, name: str) -> Job:
        """Return a job with what it is made of, and the schema of its config."""
        return job_of(self._get(path_of("jobs", name)))

    def run_job(
        self,
        name: str,
        *,
        partition: str | None = None,
        config: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Launched:
        """Start a job.

        Args:
            name: of the job.
            partition: the key that it runs for, if it has partitions.
            config: by op or asset, as `Job.config_schema` says.
            idempotency_key: as for `backfill`.
        """
        body = {"partition": partition, "config": dict(config or {})}
        return self._launch(path_of("jobs", name, "runs"), body, idempotency_key)

    # Runs

    def runs(self, *, status: str = "", asset: str = "", job: str = "") -> Iterator[Run]:
        """Yield runs, the latest first; of a status, about an asset, of a job."""
        given = [(name, value) for name, value in (("status", status), ("asset", asset), ("job", job)) if value]
        return map(run_of, self._connection.rows("/api/v1/runs", "runs", given))

    def backfills(self) -> Iterator[Run]:
        """Yield the runs that are backfills, the latest first."""
        return map(run_of, self._connection.rows("/api/v1/backfills", "backfills"))

    def run(self, run: str = "latest") -> Run:
        """Return all that is known of a run, by its id or the beginning of it."""
        return run_of(self._get(path_of("runs", run)))

    def steps(self, run: str) -> Document:
        """Return the steps of a run of a job of ops, and how far each asset has come of other runs."""
        return self._get(path_of("runs", run, "steps"))

    def log(self, run: str, *, level: str = "", follow: bool = False) -> Iterator[Document]:
        """Yield the lines of a run's log; `level` leaves those that are as grave as `warn` or `error`.

        With `follow` also what comes, until the run is over; it may be one that was started a moment ago.
        """
        return self._lines(run, "log", "lines", [("level", level)] if level else [], follow=follow)

    def events(self, run: str, *, follow: bool = False) -> Iterator[Document]:
        """Yield what happened in a run, without what its code printed; `follow` as for `log`."""
        return self._lines(run, "events", "events", [], follow=follow)

    def wait(self, run: str) -> Run:
        """Return a run when it is over; it may be one that was started a moment ago."""
        found = self._begun(run)
        while not found.is_over:
            time.sleep(POLL_S)
            found = self.run(found.run_id)
        return found

    def cancel(self, run: str) -> Launched:
        """Ask a run to stop within seconds; what it has committed stays."""
        return launched_of(self.request("POST", f"{path_of('runs', run)}:cancel", body={}))

    def retry(self, run: str) -> Launched:
        """Go on with a run where it stopped."""
        return launched_of(self.request("POST", f"{path_of('runs', run)}:retry", body={}))

    # Automation and surroundings

    def automations(self, kind: AutomationKind) -> Iterator[Document]:
        """Yield schedules or sensors, as `deltaworks schedule list --json`."""
        return self._connection.rows(f"/api/v1/{kind}s", f"{kind}s")

    def switch(self, kind: AutomationKind, name: str, *, enabled: bool) -> Document:
        """Start or stop a schedule or a sensor, and return it."""
        found: Document = self.request("PATCH", path_of(f"{kind}s", name), body={"enabled": enabled})
        return found

    def ticks(self, kind: AutomationKind, name: str) -> Iterator[Document]:
        """Yield the ticks of a schedule or a sensor, the latest first."""
        return self._connection.rows(path_of(f"{kind}s", name, "ticks"), "ticks", by="before")

    def evaluate(self, kind: AutomationKind, name: str) -> Document:
        """Return what a schedule or a sensor would ask for; nothing is started or recorded."""
        found: Document = self.request("POST", f"{path_of(f'{kind}s', name)}:evaluate", body={})
        return found

    def conditions(self) -> Document:
        """Return the conditions of assets, as `deltaworks automation list --json`."""
        return self._get("/api/v1/conditions")

    def daemons(self) -> Sequence[Document]:
        """Return the daemons, the latest first, as `deltaworks daemon --status --json`."""
        found: Sequence[Document] = self._get("/api/v1/daemon")["daemons"]
        return found

    def pause_daemons(self, *, paused: bool) -> Document:
        """Let all daemons of the lake begin nothing, or let them go on, and return how they are."""
        found: Document = self.request("PATCH", "/api/v1/daemon", body={"paused": paused})
        return found

    def audit(self) -> Iterator[Document]:
        """Yield who had what changed, newest first."""
        return self._connection.rows("/api/v1/audit", "entries")

    def _get(self, path: str, query: Query = ()) -> Document:
        found: Document = self.request("GET", path, query)
        return found

    def _launch(self, path: str, body: Mapping[str, Any], key: str | None) -> Launched:
        headers = {} if key is None else {"Idempotency-Key": key}
        return launched_of(self.request("POST", path, body=body, headers=headers))

    def _lines(self, run: str, of: str, name: str, query: Query, *, follow: bool) -> Iterator[Document]:
        found = self._begun(run) if follow else self.run(run)
        after: str | None = None
        while True:
            is_over = not follow or found.is_over  # before the look, so that nothing is missed
            onward = [] if after is None else [("after", after)]
            page = self._get(path_of("runs", found.run_id, of), [*query, *onward])
            yield from page[name]
            if page["next"] == after:
                if is_over:
                    return
                time.sleep(POLL_S)
                found = self.run(found.run_id)
            after = page["next"]

    def _begun(self, run: str) -> Run:
        """Return a run whose process may still be starting."""
        until_s = time.monotonic() + STARTING_S
        while True:
            try:
                return self.run(run)
            except UnknownRun:
                if time.monotonic() > until_s:
                    raise
                time.sleep(POLL_S)


def _selected(select: Sequence[str]) -> Query:
    return [("select", each) for each in select]


def _asked(
    select: Sequence[str], partitions: Sequence[str], start: str | None, end: str | None, **more: object
) -> dict[str, object]:
    asked = {"select": list(select), "partitions": list(partitions), "from": start, "to": end, **more}
    return {name: value for name, value in asked.items() if value is not None}
