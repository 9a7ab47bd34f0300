"""Login: a token is exchanged for a cookie that scripts cannot read and other sites cannot send."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from deltaworks.web.http.asked import TheForm
from deltaworks.web.http.doors import SESSION_COOKIE
from deltaworks.web.http.roles import Auth
from deltaworks.web.http.templates import page

LASTS_S = 12 * 3600
"""How long a browser stays logged in."""

router = APIRouter(include_in_schema=False)


@router.get("/login")
def ask(request: Request, onward: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Ask for the token."""
    return page(request, "login.html", None, next=onward, problem=None)


@router.post("/login")
def login(request: Request, form: TheForm) -> Response:
    """Take the token, and lead to where the browser wanted to go."""
    auth: Auth = request.app.state.auth
    actor = auth.by_token("".join(form.get("token", [])).strip())
    onward = "".join(form.get("next", ["/"]))
    if actor is None:
        problem = "That is not a token of this server."
        return page(request, "login.html", None, status=403, next=onward, problem=problem)
    answer = RedirectResponse(_own(onward), 303)
    answer.set_cookie(
        SESSION_COOKIE,
        auth.session(actor.role),
        max_age=LASTS_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout")
def logout() -> Response:
    """Forget the browser."""
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


def _own(path: str) -> str:
    """Return a path of this server, and of no other one."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_own and path.isprintable() else "/"
