"""`python -m tests.brisk ARGUMENTS` is `strongroom`, but that its parsers leave the cores to nobody, and that to check a
password costs next to nothing.

For a test that waits for a document which another process reads: with a tenth of a core beside other tests and browsers
it waits ten times as long, and too long in the end. Its embedder steps back as in the product; in the process of the
tests neither does (`nothing_steps_back`). And for the journeys, each of which signs in.
"""

from __future__ import annotations

import argon2

from appliance.auth import passwords
from appliance.cli.entry import main
from ingest.parse import parser_process

if __name__ == "__main__":
    parser_process._NICENESS = 0
    passwords.COST = argon2.profiles.CHEAPEST
    main()
