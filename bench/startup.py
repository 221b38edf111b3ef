"""Measures how long `strongroom serve` takes until it is ready, and prints a row of docs/performance.md.

    python bench/startup.py --data FOLDER [--starts NUMBER]

FOLDER is a data folder that `bench/search.py --keep` has filled (100000 chunks are the standard); nothing is added to it
but the entries that a start, a question and a stop leave in the query log. Counted is from the start of the process until
`/api/ready` answers, and on until the first question, asked at that moment, has its passages: the models of the search
are loaded while it waits. The first start is told apart: files and libraries may not be in the page cache then.
Figures are only comparable within one run on one machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

from appliance.config import ModelSettings, Provider, Settings, go_offline

go_offline()

import httpx
from serving import serving
from synthetic import ALL_IN_ONE, Corpus

from appliance.api.gate import GROUPS_HEADER, groups_header
from appliance.data_folder import DataFolder
from appliance.wiring import opened

_COLUMNS = ("chunks", "first start", "starts after it", "p50", "most", "first question, p50", "load")
_WITHOUT_MODEL = {"STRONGROOM_MODEL__PROVIDER": "none"}


def started(data: Path, question: str) -> tuple[float, float]:
    """Start once; seconds until it was ready, and until the first question had its passages."""
    with serving(data, _WITHOUT_MODEL) as served:
        ready = time.perf_counter()
        token = DataFolder(data).operator_token.read_text("utf-8")
        headers = {"Authorization": f"Bearer {token}", GROUPS_HEADER: groups_header(ALL_IN_ONE.groups)}
        with httpx.stream(
            "POST", f"{served.url}/api/ask", json={"question": question}, headers=headers, timeout=120, trust_env=False
        ) as answer:
            answer.raise_for_status()
            if not any(line == "event: passages" for line in answer.iter_lines()):
                raise SystemExit("The first question found nothing: give --data a folder that bench/search.py filled.")
        return served.ready_s, served.ready_s + time.perf_counter() - ready


def measure(data: Path, starts: int) -> None:
    """Start again and again, and print how long it took."""
    with opened(Settings(data_dir=data, model=ModelSettings(provider=Provider.NONE))) as appliance:
        chunks = appliance.index.count()
        question = next(Corpus(appliance.embedder, groups=1).questions(1))
    took = [started(data, question) for _ in range(starts + 1)]
    (first, _), after = took[0], [ready for ready, _ in took[1:]]
    answered = statistics.median(answered for _, answered in took[1:])
    row = (f"{chunks:,}", f"{first:.1f} s", str(starts), f"{statistics.median(after):.1f} s", f"{max(after):.1f} s",
           f"{answered:.1f} s", f"{os.getloadavg()[0]:.1f}")  # fmt: skip
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}\n| {' | '.join(row)} |")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--starts", type=int, default=5)
    given = parser.parse_args()
    if not (given.data / "strongroom.db").exists() or given.starts < 1:
        parser.error("--data is a folder that bench/search.py --keep has filled, --starts at least 1")
    measure(given.data, given.starts)


if __name__ == "__main__":
    main()
