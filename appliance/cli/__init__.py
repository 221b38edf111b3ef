"""`strongroom ...`: parse, call, print. A module for each group of commands; `entry` lists them.

Rules this package keeps:

1. Errors are one sentence with the remedy, never a traceback.
2. Nothing that a document or a model wrote reaches the terminal but through `terminal.printable`.
3. Commands import what they need: `strongroom log verify` must not wait for a web framework to load.
"""

from __future__ import annotations

from appliance.config import go_offline

go_offline()  # before anything below imports a vendor

from appliance.cli.entry import app, main  # noqa: E402

__all__ = ["app", "main"]
