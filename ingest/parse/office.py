"""LibreOffice in this process, for one file: `python -m ingest.parse.office PROGRAM SOURCE TARGET FORMAT PROFILE`.

Through LibreOfficeKit, its interface for embedding (LibreOfficeKit/LibreOfficeKit.h), by ctypes. The program `soffice`
would do the same, but talks to itself through a socket, which a confined parser cannot open.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_DOCUMENT_SAVE_AS, _KIT_LOAD_WITH_OPTIONS = 2, 4  # places in the tables of functions; they only ever grow at the end
_OPTIONS = b"Batch=true,MacroSecurityLevel=3,EnableMacrosExecution=false"


def main() -> int:
    """Convert one file. Returns the exit status: 0 when it is done, 2 without LibreOffice, 3 for an unreadable file."""
    program, source, target, kind, profile = (os.fsencode(argument) for argument in sys.argv[1:])
    os.environ["SAL_USE_VCLPLUGIN"] = "svp"  # no window
    library = ctypes.CDLL(str(Path(os.fsdecode(program)) / "libmergedlo.so"), mode=ctypes.RTLD_GLOBAL)
    start = library.libreofficekit_hook_2
    start.restype, start.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_char_p)
    kit = start(program, b"file://" + profile)
    if not kit:
        return 2
    load = _function(kit, _KIT_LOAD_WITH_OPTIONS, ctypes.c_void_p, 2)
    document = load(kit, b"file://" + source, _OPTIONS)
    if not document:
        return 3
    save = _function(document, _DOCUMENT_SAVE_AS, ctypes.c_int, 3)
    return 0 if save(document, b"file://" + target, kind, b"") else 3


def _function(item: int, place: int, result: type[ctypes.c_void_p | ctypes.c_int], texts: int) -> ctypes._CFunctionType:
    """A function of an object: both begin with a pointer, to the table and to the table's entries."""
    table = ctypes.cast(item, ctypes.POINTER(ctypes.c_void_p))[0]
    address = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))[place]
    return ctypes.CFUNCTYPE(result, ctypes.c_void_p, *[ctypes.c_char_p] * texts)(address or 0)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # its threads do not end by themselves
