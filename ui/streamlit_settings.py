"""How Streamlit is set up: locked down, offline, and in our colours.

Rules this module keeps:

1. Options are set in the process. Streamlit reads `STREAMLIT_*` variables only when its own command line starts it;
   an `st.App` under uvicorn ignores them.
2. `apply` runs before `st.App` is made, because routes and theme are built from the options at that moment.
3. Fonts are the ones Streamlit carries; nothing is loaded from another origin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamlit import config

_MB = 1024**2

LOCKED_DOWN: Mapping[str, object] = {
    "browser.gatherUsageStats": False,
    "client.allowedOrigins": [],  # no page may steer ours by postMessage; the default trusts hosts of the vendor
    "client.showErrorDetails": "none",  # no tracebacks to users
    "client.showErrorLinks": False,
    "client.showSidebarNavigation": False,
    "client.toolbarMode": "minimal",
    "runner.magicEnabled": False,
    "server.address": "127.0.0.1",  # a concrete address: with none, Streamlit looks its public one up
    "server.enableAgentApi": False,
    "server.enableCORS": True,
    "server.enableStaticServing": False,
    "server.enableXsrfProtection": True,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.runOnSave": False,
    "server.xsrfCookieSameSite": "strict",
}

LIGHT: Mapping[str, object] = {
    "primaryColor": "#1d5b4b",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f4f3ee",
    "textColor": "#1b2421",
    "borderColor": "#dcd9cf",
    "linkColor": "#1d5b4b",
    "codeTextColor": "#1b2421",
    "codeBackgroundColor": "#f4f3ee",
    "redColor": "#a3321f",
    "greenColor": "#1d5b4b",
    "sidebar.backgroundColor": "#f4f3ee",
    "sidebar.secondaryBackgroundColor": "#e9e7df",
    "sidebar.borderColor": "#dcd9cf",
}
DARK: Mapping[str, object] = {
    "primaryColor": "#84c9ae",
    "backgroundColor": "#141a17",
    "secondaryBackgroundColor": "#1d2521",
    "textColor": "#e4e8e4",
    "borderColor": "#363f3a",
    "linkColor": "#84c9ae",
    "codeTextColor": "#e4e8e4",
    "codeBackgroundColor": "#1d2521",
    "redColor": "#f2a796",
    "greenColor": "#84c9ae",
    "sidebar.backgroundColor": "#1d2521",
    "sidebar.secondaryBackgroundColor": "#2b342f",
    "sidebar.borderColor": "#363f3a",
}
"""The colours of the two themes, of which the browser takes the one that its system has."""

THEME: Mapping[str, object] = {
    **{f"theme.light.{name}": colour for name, colour in LIGHT.items()},
    **{f"theme.dark.{name}": colour for name, colour in DARK.items()},
    "theme.font": "sans-serif",
    "theme.headingFont": "serif",
    "theme.headingFontSizes": ["1.9rem", "1.35rem", "1.12rem", "1rem", "1rem", "1rem"],
    "theme.headingFontWeights": [600, 600, 600, 600, 600, 600],
    "theme.baseRadius": "0.45rem",
    "theme.showWidgetBorder": True,
    "theme.showSidebarBorder": True,
    "theme.paddingTop": "1.25rem",
    "theme.paddingBottom": "4rem",
}


def apply(allowed_hosts: Sequence[str] = (), max_upload_bytes: int = _MB) -> None:
    """Set every option in this process.

    Args:
        allowed_hosts: The names the appliance may be reached under; with none given Streamlit accepts any.
        max_upload_bytes: How large a document may be that is handed over through the screens.
    """
    given = {"server.allowedHosts": list(allowed_hosts), "server.maxUploadSize": -(-max_upload_bytes // _MB)}
    for name, value in {**LOCKED_DOWN, **THEME, **given}.items():
        config.set_option(name, value)
