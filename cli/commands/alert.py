"""`deltaworks alert`: who is told of what goes wrong, whether they can be reached, and what they were told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.output import Cell, Table, View
from deltaworks.engine.documents.alerts import message_json
from deltaworks.engine.documents.instants import instant_text
from deltaworks.errors import AlertNotSent, RequestError, did_you_mean

if TYPE_CHECKING:
    from deltaworks.engine.workspace.alert_settings import AlertSettings

SHOWN = 10
"""How many messages are shown."""

NameArgument = Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Alerts; none: all.")]

_TONES = {"sent": "good", "waiting": "stale", "given up": "bad"}


def list_alerts(session: Session) -> ExitCode:
    """List who is told of what, and the last messages."""
    # Imported here: --help must not load Polars.
    from deltaworks.io.alerts import deliveries

    alerts = session.settings().alerts
    last = list(deliveries(session.open_lake()))[: -SHOWN - 1 : -1]
    document = {
        "alerts": [{"alert": each.name, **dict(each.shown())} for each in alerts],
        "messages": [message_json(each) for each in last],
    }
    lines = [] if alerts else [Cell("Nobody is told of anything; [[alerts]] in the settings names who is.", "quiet")]
    rows = [(Cell(each.name, "strong"), each.kind.value, ", ".join(each.on), _about(each)) for each in alerts]
    told = [
        (
            instant_text(each.message.at),
            each.message.alert,
            each.message.title,
            Cell(each.outcome.value, _TONES[each.outcome.value]),
            each.error or "",
        )
        for each in last
    ]
    tables = [Table(("alert", "kind", "on", "about"), rows)] if rows else []
    tables += [Table(("at (UTC)", "alert", "message", "outcome", "because"), told)] if told else []
    session.output.show(View(document, (*lines, *tables)))
    return ExitCode.DONE


def send_test(session: Session, names: NameArgument = None) -> ExitCode:
    """Send a message to see whether it arrives; exit code 1 if one cannot be sent."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.automation.alerts.send import send
    from deltaworks.io.alerts import Message

    chosen, store = _chosen(session, names or []), session.open_lake()
    lines = ("This is a test; nothing is wrong.",)
    told: list[dict[str, Any]] = []
    for each in chosen:
        message = Message(
            each.name, "test", "test", "a test of deltaworks", lines, "deltaworks alert list", session.now()
        )
        try:
            send(each, message, store.uri(""), os.environ)
            told.append({"alert": each.name, "sent": True, "error": None})
        except AlertNotSent as error:
            told.append({"alert": each.name, "sent": False, "error": error.problem})
    cells = [
        Cell(f"{each['alert']}: sent", "good") if each["sent"] else Cell(f"{each['alert']}: {each['error']}", "bad")
        for each in told
    ]
    session.output.show(View({"tests": told}, tuple(cells)))
    return ExitCode.DONE if all(each["sent"] for each in told) else ExitCode.FAILED


def send_due(session: Session) -> ExitCode:
    """Look once and send what is due, as a daemon does every few seconds; for runs without a daemon."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.automation.alerts.alerting import Alerting, Telling
    from deltaworks.engine.automation.freshness import AskedFreshness, late_now
    from deltaworks.io.alerts import Outcome, deliveries

    alerts = _chosen(session, [])
    project = session.load()
    problems: list[str] = []
    alerting = Alerting(Telling(alerts, project.store, os.environ), problems.append, session.now)
    late = late_now(AskedFreshness(project.definitions, project.store), project.store, session.now())
    before = {each.message_id for each in deliveries(project.store) if each.outcome is not Outcome.WAITING}
    alerting.look(session.now(), late)
    after = [each for each in deliveries(project.store) if each.message_id not in before]
    document = {"messages": [message_json(each) for each in after]}
    cells = [
        Cell(f"{each.message.alert}: {each.message.title}: {each.outcome.value}", _TONES[each.outcome.value])
        for each in after
    ]
    nothing = [] if after else [Cell("Nothing is to be told.", "quiet")]
    session.output.show(View(document, (*nothing, *cells, *(Cell(each, "bad") for each in problems))))
    return ExitCode.FAILED if problems else ExitCode.DONE


def _chosen(session: Session, names: list[str]) -> list[AlertSettings]:
    alerts = {each.name: each for each in session.settings().alerts}
    if not alerts:
        raise RequestError("The settings name nobody to tell; add [[alerts]] with name, kind and where to send.")
    unknown = next((name for name in names if name not in alerts), None)
    if unknown is not None:
        hint = did_you_mean(unknown, alerts, otherwise=f" There are {', '.join(alerts)}.")
        raise RequestError(f"There is no alert {unknown!r}.{hint}")
    return [alerts[name] for name in names or alerts]


def _about(alert: AlertSettings) -> str:
    parts = [*(f"asset {each}" for each in alert.assets), *(f"job {each}" for each in alert.jobs)]
    return ", ".join(parts) or "everything"


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Tell people what goes wrong.", no_args_is_help=True, rich_markup_mode=None)
    add(group, "list", list_alerts)
    add(group, "test", send_test)
    add(group, "send", send_due)
    app.add_typer(group, name="alert")
