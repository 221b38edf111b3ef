"""The screens in front of the stand-in, as the appliance serves them: one process, one origin, our headers."""

from __future__ import annotations

import os
import string
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse
from starlette.routing import Mount, Route

from appliance.api.goals import goal_of
from appliance.api.signin_pages import goal_field
from appliance.config import go_offline
from appliance.domain import Role
from appliance.headers import OuterLayer, UploadDoor
from tests.ui.api_standin import PEOPLE, Standin, create_api
from tests.ui.payloads import PAYLOADS, SHORT

MAX_UPLOAD_BYTES = 4 * 1024 * 1024
ROOT = Path(__file__).parents[2]
LOGIN = ROOT / "appliance" / "api" / "static"


async def _login(request: Request) -> HTMLResponse | RedirectResponse:
    if request.method == "POST":
        form = await request.form()
        name = str(form["name"])
        if name in PEOPLE:
            response = RedirectResponse(f"/{goal_of(form)}", 303)
            response.set_cookie("strongroom_session", name, httponly=True, samesite="strict")
            return response
    message = "The name or the password is wrong." if request.method == "POST" else ""
    page = string.Template((LOGIN / "login.html").read_text("utf-8"))
    goal = goal_field(goal_of(request.query_params))
    return HTMLResponse(
        page.safe_substitute(message=message, typed="", at_name=" autofocus", at_password="", goal=goal)
    )


async def _logout(_request: Request) -> RedirectResponse:
    response = RedirectResponse("/login", 303)
    response.delete_cookie("strongroom_session")
    return response


def create_app(state: Standin, port: int) -> Any:
    """The ASGI app. One per process: Streamlit keeps one runtime."""
    os.environ["STRONGROOM_API_URL"] = f"http://127.0.0.1:{port}"
    from ui import streamlit_settings

    streamlit_settings.apply(["127.0.0.1", "localhost"], MAX_UPLOAD_BYTES)
    import streamlit as st

    async def style(_request: Request) -> FileResponse:
        return FileResponse(LOGIN / "login.css")

    api: FastAPI = create_api(state)
    return st.App(
        ROOT / "ui" / "app.py",
        routes=[
            Route("/login", _login, methods=["GET", "POST"]),
            Route("/login.css", style),
            Route("/logout", _logout, methods=["POST"]),
            Mount("/api", app=_Prefixed(api)),
        ],
        middleware=[
            Middleware(OuterLayer, allowed_hosts=("127.0.0.1", "localhost"), max_upload_bytes=MAX_UPLOAD_BYTES),
            Middleware(
                UploadDoor, may_upload=lambda session: session in PEOPLE and Role.ADMIN in PEOPLE[session].roles
            ),
        ],
    )


class _Prefixed:
    """The stand-in's routes carry `/api` themselves; a mount would take it away."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app({**scope, "root_path": ""}, receive, send)


def main(port: int, *, hostile: bool) -> None:
    """Serve until stopped: with sensible words, or with hostile ones in every place where words travel."""
    poison = " ".join(text for text in SHORT if "\n" not in text)
    state = Standin("\n\n".join(PAYLOADS), poison=poison) if hostile else Standin()
    uvicorn.run(create_app(state, port), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    go_offline()
    main(int(sys.argv[1]), hostile=sys.argv[2:] == ["hostile"])
