"""The page that every screen starts in, and the addresses it is served at."""

from __future__ import annotations

import re
from pathlib import Path

from streamlit import file_util

from appliance.api.schemas.pages import PAGES
from ui import front_page

APP = Path(__file__).parents[2] / "ui" / "app.py"
SCRIPTS = re.compile(r"<script\b[^>]*>(?:.*?)</script>", re.DOTALL)


def test_there_is_no_script_in_the_page_and_ours_comes_first() -> None:
    first, *others = SCRIPTS.findall(front_page.front_page())
    assert first == '<script src="/screens.js"></script>'
    assert others
    for script in others:
        assert re.fullmatch(r'<script type="module" crossorigin src="\./static/js/[\w.-]+"></script>', script)


def test_what_our_script_tells_is_what_streamlit_asks_for() -> None:
    told = re.search(r"window\.(__streamlit) = \{ (\w+): ", front_page.SCRIPT.read_text("utf-8"))
    assert told
    bundle = "".join(path.read_text("utf-8") for path in Path(file_util.get_static_dir()).rglob("index.*.js"))
    assert f"window.{told[1]}" in bundle
    assert told[2] in bundle


def test_every_page_has_one_of_the_addresses_that_are_served() -> None:
    assert tuple(re.findall(r'url_path="([^"]+)"', APP.read_text("utf-8"))) == PAGES
