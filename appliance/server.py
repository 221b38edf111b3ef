"""Serves the appliance: screens, API and sign-in on one port, one origin, one process."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from appliance.api.app import routes
from appliance.api.proxied import PeerNoted, TrustedHeader
from appliance.api.schemas.pages import PAGES
from appliance.api.signin_pages import notice_page
from appliance.auth.sessions import TokenKind
from appliance.config import Settings
from appliance.data_folder import announce
from appliance.domain import Role
from appliance.errors import AccessDenied, AuditUnavailable, CatalogUnavailable, ConfigurationError, NotSignedIn
from appliance.headers import UPLOAD_DOOR, OuterLayer, UploadDoor
from appliance.host_cookie import HostCookie
from appliance.wiring import Appliance, opened

_log = logging.getLogger(__name__)
_WRITE_S, _STOP_S = 5, 10
"""When it is to stop: how long models may write on, and how long the answers have in all to come to their end."""

_LOOK_S = 60.0
"""How long the first answer waits until watched folders were looked at: a mount that hangs does not hold it on."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


def create_app(appliance: Appliance) -> ASGIApp:
    """The whole appliance as one ASGI application: Streamlit's screens with our routes beside them."""
    import streamlit

    from ui import front_page, streamlit_settings
    from ui.fonts import font_files
    from ui.script_error import on_script_error

    streamlit_settings.apply(_hosts(appliance.settings), appliance.settings.ingest.max_file_bytes)
    script = find_spec("ui.app")
    if script is None or script.origin is None:
        raise ConfigurationError("The screens are not installed. Install the release again.")
    files = [
        *(_file(f"/fonts/{name}", path, "font/woff2") for name, path in font_files().items()),
        _file(front_page.SCRIPT_ADDRESS, front_page.SCRIPT, "text/javascript"),
    ]
    html = front_page.front_page()
    pages = [_page(f"/{address}", html) for address in ("", *PAGES)]
    elsewhere = _Elsewhere(PAGES, front_page.streamlits())
    screens = streamlit.App(
        script.origin, routes=[*files, *pages, *routes(appliance), elsewhere], on_script_error=on_script_error
    )
    return _layers(screens, appliance)


def _file(address: str, path: Path, media_type: str) -> Route:
    """A file of the screens, open to everybody as the sign-in page is."""

    async def file(_request: Request) -> FileResponse:
        return FileResponse(path, media_type=media_type)

    return Route(address, file, methods=["GET"])


def _page(address: str, html: str) -> Route:
    """The page that the screens start in, at one of their addresses."""

    async def page(_request: Request) -> HTMLResponse:
        return HTMLResponse(html, headers={"Cache-Control": "no-cache"})

    return Route(address, page, methods=["GET"])


class _Elsewhere(Route):
    """Every address that is nobody's. Streamlit would show its page, and say in a dialog that there is none."""

    def __init__(self, pages: Iterable[str], streamlits: Iterable[str]) -> None:
        super().__init__("/{path:path}", _no_such_page, methods=_METHODS)
        self._pages = frozenset(pages)
        self._streamlits = frozenset(streamlits)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether an address is none of the screens, with a slash at its end or without, and none of Streamlit's."""
        path = scope["path"]
        if path in self._streamlits or path.startswith(f"{UPLOAD_DOOR}/") or path.strip("/") in self._pages:
            return Match.NONE, {}
        return super().matches(scope)


async def _no_such_page(_request: Request) -> HTMLResponse:
    return notice_page(
        "There is no such page", "Check the address, or go on from the start page.", 404, back="/", link="Start page"
    )


def create_headless_app(appliance: Appliance) -> ASGIApp:
    """The API without the screens, for the command line."""
    return _layers(Starlette(routes=routes(appliance)), appliance)


def serve(settings: Settings, *, on_ready: Callable[[str], None]) -> None:
    """Serve until told to stop.

    Args:
        on_ready: Called with the address once it answers.

    Raises:
        DataFolderBusy: It runs already.
        ConfigurationError: The port is taken.
        ApplianceError: Whatever `wiring.opened` raises.
    """
    address = _own_address(settings)
    os.environ["STRONGROOM_API_URL"] = address
    with opened(settings) as appliance:
        asyncio.run(_expect_port(settings))  # before anything begins that would go on for nothing
        server = _server(create_app(appliance), settings)
        stopping = threading.Event()
        warming = threading.Thread(target=_warm_up, args=(appliance, stopping), name="warm-up", daemon=True)

        async def startup(sockets: Any = None) -> None:
            await uvicorn.Server.startup(server, sockets)
            if server.started:
                announce(appliance.folder, address)
                _keep_in_sync(appliance)
                on_ready(address)

        async def shutdown(sockets: Any = None) -> None:
            asyncio.get_running_loop().call_later(_WRITE_S, appliance.writes_no_more.set)
            await uvicorn.Server.shutdown(server, sockets)

        server.startup = startup  # type: ignore[method-assign]
        server.shutdown = shutdown  # type: ignore[method-assign]
        warming.start()
        try:
            _look_first(appliance)
            server.run()
        finally:
            stopping.set()
            if appliance.reranker is not None:
                appliance.reranker.close()  # it may be loading, for minutes
            warming.join()  # models are loaded by threads of their own libraries, under which the process must not end


async def _expect_port(settings: Settings) -> None:
    """Bind to the address as the server will, and let it go again. Raises ConfigurationError."""
    host, port = settings.server.host, settings.server.port
    try:
        tried = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port, start_serving=False)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that can be none
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: another program has it, or the address is not its own. Set server.host "
            "and server.port."
        ) from error
    tried.close()


def _look_first(appliance: Appliance) -> None:
    """Watch the folders of the sources. Who lost sight of something meanwhile loses it before anything is served."""
    appliance.watcher.start()
    if not appliance.watcher.wait_until_looked_at(_LOOK_S):
        _log.warning("A watched folder could not be looked at in time. What was closed in it acts once it is compared.")


def _keep_in_sync(appliance: Appliance) -> None:
    """Watch log and directory, do what is daily; go on with syncs and a change of the model that were cut off."""
    appliance.monitor.start()
    appliance.removals.start()
    appliance.protection.daily.start()
    if appliance.directory_sync is not None:
        appliance.directory_sync.start()
    if appliance.changeover is not None:
        appliance.changeover.start()
    cut_short = {run.source_id for run in appliance.interrupted}
    for source in appliance.catalog.sources():
        if source.id in cut_short and not source.paused:
            appliance.watcher.notice(source.id)


def _server(app: ASGIApp, settings: Settings) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.server.host,
            port=settings.server.port,
            log_level="error",
            access_log=False,  # paths and queries of readers are not the server's business
            server_header=False,
            proxy_headers=False,  # `_layers` does that, where it is wanted
            timeout_graceful_shutdown=_STOP_S,
            ws_max_size=4 * 1024 * 1024,
        )
    )


def _layers(app: ASGIApp, appliance: Appliance) -> ASGIApp:
    """Around everything, so that errors of the application itself carry the headers too."""
    settings = appliance.settings
    inner: ASGIApp = UploadDoor(app, may_upload=lambda session: _is_admin(appliance, session))
    if settings.trusted_header.is_set:
        inner = TrustedHeader(inner, appliance)  # around the door: whose roles the header takes away may not upload
    outer: ASGIApp = OuterLayer(inner, allowed_hosts=_hosts(settings), max_upload_bytes=settings.ingest.max_file_bytes)
    if settings.server.trust_forwarded_for:
        proxies = os.environ.get("FORWARDED_ALLOW_IPS", _LOOPBACK[0])  # as uvicorn itself does it
        outer = ProxyHeadersMiddleware(outer, trusted_hosts=proxies)  # type: ignore[arg-type, assignment]
    return PeerNoted(HostCookie(outer, required=settings.server.secure_cookie))


def _is_admin(appliance: Appliance, session: str) -> bool:
    """Whether a session cookie is that of somebody who may upload documents."""
    try:
        return Role.ADMIN in appliance.sessions.authenticate(session, kind=TokenKind.SESSION).roles
    except (NotSignedIn, AccessDenied, AuditUnavailable, CatalogUnavailable):
        return False


def _hosts(settings: Settings) -> list[str]:
    """The names this server answers to. The loopback is always one: the screens and the command line come that way."""
    return sorted({*settings.server.allowed_hosts, settings.server.host, *_LOOPBACK})


def _own_address(settings: Settings) -> str:
    """Where this machine itself reaches the server."""
    host = settings.server.host
    if host in _WILDCARDS:
        host = _LOOPBACK[0] if host == "0.0.0.0" else _LOOPBACK[1]  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port}"


def _warm_up(appliance: Appliance, stopping: threading.Event) -> None:
    """Do before the first question what it would have to wait for."""
    try:
        appliance.warm_up(stopping)
    except Exception as error:  # noqa: BLE001 - the edge of a background job; `doctor` and the first question say more
        if not stopping.is_set():
            _log.error("A model of the search, or the catalog, could not be read: %s", type(error).__name__)
