"""`python -m tests.ingest.sync_process FOLDER DATA DATABASE`: one sync in a process of its own, made to be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from appliance.errors import ApplianceError
from tests.ingest.conftest import SETTINGS, CountingPool, open_room


def main() -> None:
    folder, data, database = (Path(argument) for argument in sys.argv[1:])
    with CountingPool(SETTINGS, size=2, urgent=True) as parsers:  # a test waits for it
        parsers.report()  # starts a worker, so that the sync itself is what is killed
        try:
            room = open_room(folder, data, database, parsers)
            print("ready", flush=True)
            room.sync()
        except ApplianceError as error:
            sys.exit(print(error) or 1)
        room.index.close()
        room.database.close()
    print("done", flush=True)


if __name__ == "__main__":
    main()
