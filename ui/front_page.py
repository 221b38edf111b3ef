"""The page that every screen starts in: Streamlit's own, without what our policy would block in it.

Rules this module keeps:

1. There is no script in the page: the policy blocks it, and the browser says so at every load. The one that Streamlit
   has in it tells crawlers when the page is drawn; no crawler comes here.
2. It names a script of ours, `SCRIPT`, which tells where the server is. Streamlit looks for it below the page's own
   address first, and at every load asks twice for what is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

SCRIPT = Path(__file__).parent / "static" / "screens.js"
SCRIPT_ADDRESS = f"/{SCRIPT.name}"
_PAGE = "index.html"
_DOORS = ("/_stcore/health", "/_stcore/host-config", "/_stcore/stream")
_IN_THE_PAGE = re.compile(r"<script>.*?</script>", re.DOTALL)


def front_page() -> str:
    """The page, as HTML."""
    page = (_folder() / _PAGE).read_text("utf-8")
    ours = f'<script src="{SCRIPT_ADDRESS}"></script>'
    return _IN_THE_PAGE.sub("", page).replace("<head>", f"<head>\n    {ours}", 1)


def streamlits() -> Iterator[str]:
    """The addresses at which Streamlit answers itself, and its files; but for uploads, which have one each.

    At any other it would show its own page, with the script in it.
    """
    yield from _DOORS
    folder = _folder()
    for path in folder.rglob("*"):
        if path.is_file() and path != folder / _PAGE:
            yield f"/{path.relative_to(folder).as_posix()}"


def _folder() -> Path:
    from streamlit import file_util

    return Path(file_util.get_static_dir())
