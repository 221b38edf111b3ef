"""Events of the Open Cybersecurity Schema Framework, version 1.8.0, one JSON object a line, in a file to be followed.

| what | class |
|---|---|
| sign-ins, refused ones, sign-outs | Authentication (3002) |
| the appliance starts or stops | Application Lifecycle (6002) |
| every other entry | API Activity (6003) |
| an alarm | Detection Finding (2004) |

Rules this module keeps:

1. `metadata.uid` and `metadata.sequence` are the entry's number, `metadata.correlation_uid` the id of its question,
   `metadata.labels` its flags. The person is a pseudonym. The endpoint is the appliance: heads know no other.
2. The file is opened for each batch, so that it may be renamed or removed by whoever rotates it.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance import __version__
from appliance.audit.entries import AdminAction, FeedbackGiven, LogClosed, LogOpened, SignedIn, SignedOut, SignInFailed
from appliance.audit.outline import Outline
from appliance.monitoring.alarms import Alarm

VERSION = "1.8.0"

_INFORMATIONAL, _LOW, _MEDIUM, _CRITICAL = 1, 2, 3, 5
_SUCCESS, _FAILURE = 1, 2
_AUTHENTICATION = {SignedIn.type: 1, SignInFailed.type: 1, SignedOut.type: 2}
_LIFECYCLE = {LogOpened.type: 3, LogClosed.type: 4}
_CREATE, _READ, _OTHER = 1, 2, 99
_API = {FeedbackGiven.type: _CREATE, AdminAction.type: _OTHER}
_PRODUCT = {"name": "Strongroom", "vendor_name": "Strongroom", "version": __version__}
_ALIVE = "feed.alive"


class OcsfFile:
    """Appends events to a file."""

    name = "ocsf"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._endpoint = {"name": socket.gethostname() or "strongroom"}

    def entry(self, outline: Outline) -> bytes:
        """The event that an entry is."""
        failed = bool(outline.code) or outline.type == SignInFailed.type
        event = {
            "time": _milliseconds(outline.time),
            "severity_id": _LOW if failed or outline.flags else _INFORMATIONAL,
            "status_id": _FAILURE if failed else _SUCCESS,
            "metadata": _metadata(outline),
            **self._class_of(outline),
        }
        if outline.code:
            event["status_code"] = outline.code
        if outline.leaf:
            event["unmapped"] = {"leaf": outline.leaf}
        return _line(event)

    def alarm(self, alarm: Alarm) -> bytes:
        """The finding that an alarm is."""
        return _line(
            {
                "time": _milliseconds(alarm.since),
                "severity_id": _INFORMATIONAL if alarm.is_over else _CRITICAL,
                "metadata": {"version": VERSION, "product": _PRODUCT, "log_name": "strongroom/alarms"},
                "finding_info": {"uid": alarm.name.value, "title": f"Alarm: {alarm.name.value}", "desc": alarm.told},
                "message": alarm.told,
                "is_alert": not alarm.is_over,
                **_classified(2, 2004, 3 if alarm.is_over else 1),
            }
        )

    def beat(self, size: int, root: str) -> bytes:
        """The event that says that the feed is alive, and how far the log is."""
        return _line(
            {
                "time": _milliseconds(datetime.now(UTC)),
                "severity_id": _INFORMATIONAL,
                "metadata": {"version": VERSION, "product": _PRODUCT, "log_name": "strongroom/query-log"},
                "unmapped": {"size": size, "root": root},
                **self._api(_ALIVE, _READ, ""),
            }
        )

    def examine(self) -> None:
        """Raises OSError where the folder is not there, or is closed to the appliance."""
        os.close(os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    def send(self, lines: Sequence[bytes]) -> None:
        """Append lines to the file. Raises OSError; what was written of them is then cut off again."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            try:
                _write(file.fileno(), b"".join(lines))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise

    def close(self) -> None:
        """Nothing is open."""

    def _class_of(self, outline: Outline) -> dict[str, Any]:
        if outline.type in _AUTHENTICATION:
            return {
                "user": {"uid": outline.actor or "unknown"},
                "service": {"name": "Strongroom"},
                **_classified(3, 3002, _AUTHENTICATION[outline.type]),
            }
        if outline.type in _LIFECYCLE:
            return {"app": _PRODUCT, **_classified(6, 6002, _LIFECYCLE[outline.type])}
        operation = f"{outline.type}/{outline.act}" if outline.act else outline.type
        return self._api(operation, _API.get(outline.type, _READ), outline.actor)

    def _api(self, operation: str, activity: int, actor: str) -> dict[str, Any]:
        return {
            "api": {"operation": operation},
            "actor": {"user": {"uid": actor}} if actor else {"app_name": "Strongroom"},
            "src_endpoint": self._endpoint,
            **_classified(6, 6003, activity),
        }


def _classified(category: int, class_: int, activity: int) -> dict[str, int]:
    return {
        "category_uid": category,
        "class_uid": class_,
        "activity_id": activity,
        "type_uid": class_ * 100 + activity,
    }


def _metadata(outline: Outline) -> dict[str, Any]:
    told = {
        "version": VERSION,
        "product": _PRODUCT,
        "uid": str(outline.seq),
        "sequence": outline.seq,
        "event_code": outline.type,
        "log_name": "strongroom/query-log",
        "correlation_uid": outline.query_id,
        "labels": list(outline.flags),
    }
    return {name: value for name, value in told.items() if value not in ("", [])}


def _milliseconds(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0


def _line(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode("ascii") + b"\n"


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
