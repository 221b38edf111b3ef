"""Starts the certified provider."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
SECRET = "a secret, with: signs & spaces that need care + encoding"


@contextmanager
def real_provider(
    port: int,
    public_url: str,
    accounts: Mapping[str, Mapping[str, Any]],
    *,
    host: str = "127.0.0.1",
    tells: bool = False,
    names_sessions: bool = False,
) -> Iterator[str]:
    """The issuer of a provider at `port` that knows `accounts`, by subject, and our client `strongroom`.

    It `tells` of sign-outs, or does not; with `names_sessions` it says, there and in ID tokens, which session it is.
    """
    if not (_FOLDER / "node_modules").is_dir():
        raise AssertionError(
            "The identity provider of the tests is not installed: npm ci --prefix tests/identity_provider"
        )
    terms = {
        "host": host,
        "port": port,
        "redirectUri": f"{public_url}/login/oidc/return",
        "leavingUri": f"{public_url}/login",
        "toldUri": f"{public_url}/login/oidc/signed-out" if tells else "",
        "namesSessions": names_sessions,
        "secret": SECRET,
        "accounts": accounts,
    }
    command = ["node", str(_FOLDER / "server.mjs")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(terms))
            process.stdin.close()
            assert process.stdout.readline().strip() == "ready", "the identity provider did not start"
            yield f"http://{host}:{port}"
        finally:
            process.kill()
