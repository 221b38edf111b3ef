"""The page that every screen starts in: Streamlit's own, without what our policy would block in it.

Rules this module keeps:

1. There is no script in the page: the policy blocks it, and the browser says so at every load. The one that Streamlit
   has in it tells crawlers when the page is drawn; no crawler comes here.
2. It names a script of ours, `SCRIPT`, which tells where the server is. Streamlit looks for it below the page's own
   address first, and at every load asks twice for what is not there.
"""

from __future__ import annotations

import re
from pathlib import Path

SCRIPT = Path(__file__).parent / "static" / "screens.js"
SCRIPT_ADDRESS = f"/{SCRIPT.name}"
STREAMLITS = ("/_stcore/", "/static/", "/favicon.png", "/manifest.json")
"""The addresses below which Streamlit answers itself, or which are files of its own."""

_IN_THE_PAGE = re.compile(r"<script>.*?</script>", re.DOTALL)


def front_page() -> str:
    """The page, as HTML."""
    from streamlit import file_util

    page = Path(file_util.get_static_dir(), "index.html").read_text("utf-8")
    ours = f'<script src="{SCRIPT_ADDRESS}"></script>'
    return _IN_THE_PAGE.sub("", page).replace("<head>", f"<head>\n    {ours}", 1)
