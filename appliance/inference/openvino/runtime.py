"""OpenVINO as this project imports it, and what the processor can do.

Rules this module keeps:

1. `openvino` reports its own import to a statistics server and leaves an identifier in the home folder, if the package
   `openvino_telemetry` can be imported. It comes with OpenVINO and cannot be left out, so it is made unimportable here,
   before OpenVINO is imported. Nothing else in the project imports OpenVINO.
2. Importing this module takes a tenth of a second; embedders import it when they load, not before.
3. There is one core, and it lasts as long as the process. A core gives the thread that first compiles with it a stack
   for signal handlers, and unmaps that stack when it is freed. With a second core, or when another thread frees it, the
   first thread keeps a stack that is gone, and the next signal with a handler (SIGTERM, say) kills the process.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # the import system's word for "not there"

import openvino  # type: ignore[import-untyped]  # noqa: E402
from openvino import opset13 as ops  # noqa: E402

__all__ = ["Precision", "best_precision", "compiled", "openvino", "ops"]

_CPU_FACTS = Path("/proc/cpuinfo")
_INT8_FLAGS = {"avx512_vnni", "avx_vnni"}

_lock = threading.Lock()


class Precision(StrEnum):
    """What the large matrix products are computed in. Sums are kept in float32 throughout."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


def best_precision(cpu_facts: Path = _CPU_FACTS) -> Precision:
    """The fastest precision whose vectors are good enough, for this processor.

    With matrix units (AMX) bfloat16 is as fast as 8 bits and closer to float32. Where there are none, 8-bit products
    (VNNI) are twice as fast as float32. Everything else computes in float32.
    """
    try:
        facts = cpu_facts.read_text("utf-8", "replace")
    except OSError:
        return Precision.FLOAT32
    flags = {flag for line in facts.splitlines() if line.startswith("flags") for flag in line.split()}
    if "amx_bf16" in flags:
        return Precision.BFLOAT16
    return Precision.INT8 if flags & _INT8_FLAGS else Precision.FLOAT32


def compiled(graph: openvino.Model, options: Mapping[str, Any]) -> Any:
    """The graph, ready to run on the CPU. Raises RuntimeError."""
    with _lock:
        core = _core()
    return core.compile_model(graph, "CPU", dict(options))


@cache
def _core() -> openvino.Core:
    return openvino.Core()
