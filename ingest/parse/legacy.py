"""Office files of before 2007 (DOC, PPT): turned into today's formats by LibreOffice.

Rules this module keeps:

1. LibreOffice is optional. Where it is not installed, these files are refused with the name of the package to install.
2. It runs in a process of its own (`ingest.parse.office`) inside the parser's confinement, with a profile that is new
   for every file: macros are not run, and nothing a file links to is loaded (there is no network to load it from).
3. What it writes is a document as untrusted as what it read, and goes the way of every other one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path, PurePath

from appliance.errors import DocumentRejected, DocumentUnreadable
from ingest.parse.detect import Format, detect

MODERN = {Format.DOC: Format.DOCX, Format.PPT: Format.PPTX}

_PROGRAMS = (Path("/usr/lib/libreoffice/program"), Path("/usr/lib64/libreoffice/program"))
_NEEDS = {
    Format.DOC: ("libswlo.so", "is a Word 97-2003 file", "libreoffice-writer-nogui", ".docx or PDF"),
    Format.PPT: ("libsdlo.so", "is a PowerPoint 97-2003 file", "libreoffice-impress-nogui", ".pptx or PDF"),
}
_BY_SUFFIX = {".doc": Format.DOC, ".dot": Format.DOC, ".ppt": Format.PPT, ".pps": Format.PPT, ".pot": Format.PPT}
_SUFFIX = {Format.DOC: "docx", Format.PPT: "pptx"}
_TIMEOUT_S = 300.0  # the pool gives up long before, unless it was told to be patient
_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting">
<prop oor:name="MacroSecurityLevel" oor:op="fuse"><value>3</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting">
<prop oor:name="DisableMacrosExecution" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting">
<prop oor:name="BlockUntrustedRefererLinks" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Writer/Content/Update">
<prop oor:name="Link" oor:op="fuse"><value>0</value></prop></item>
</oor:items>
"""


def program_for(kind: Format) -> Path | None:
    """Where the LibreOffice is that reads files of this kind; None if it is not installed, or not with its settings."""
    library = _NEEDS[kind][0]
    found = (folder for folder in _PROGRAMS if (folder / library).is_file())
    return next((folder for folder in found if (folder.parent / "share" / "registry").is_dir()), None)


def modern(data: bytes, kind: Format) -> bytes:
    """The same document in the format of `MODERN`.

    Raises:
        DocumentRejected: LibreOffice is not installed.
        DocumentUnreadable: It cannot open the file.
    """
    program = program_for(kind)
    if program is None:
        raise DocumentRejected(_refusal(kind))
    with tempfile.TemporaryDirectory() as folder:
        return _converted(Path(folder), data, kind, program)


def refusal_by_machine(name: str) -> str:
    """Why a file of this name is not read on this machine; empty if it may be."""
    kind = _BY_SUFFIX.get(PurePath(name.lower()).suffix)
    return _refusal(kind) if kind and program_for(kind) is None else ""


def _refusal(kind: Format) -> str:
    _, what, package, other = _NEEDS[kind]
    return (
        f"{what}, which is read where LibreOffice is installed (Debian package {package}); "
        f"install that, or save it as {other}"
    )


def _converted(folder: Path, data: bytes, kind: Format, program: Path) -> bytes:
    source, target, profile = folder / "document", folder / f"modern.{_SUFFIX[kind]}", folder / "profile"
    source.write_bytes(data)
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(_PROFILE)
    paths = [str(path) for path in (program, source, target)]
    command = [sys.executable, "-P", "-m", "ingest.parse.office", *paths, _SUFFIX[kind], str(profile)]
    try:
        done = subprocess.run(command, timeout=_TIMEOUT_S, capture_output=True, check=False)
    except subprocess.TimeoutExpired as error:
        raise DocumentUnreadable("is damaged: LibreOffice does not get to its end") from error
    if done.returncode != 0 or not target.is_file():
        raise DocumentUnreadable("is damaged: LibreOffice cannot open it")
    converted = target.read_bytes()
    if detect(converted, target.name) is not MODERN[kind]:
        raise DocumentUnreadable("is damaged: LibreOffice makes no document of it")
    return converted
