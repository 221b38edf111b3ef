"""Which store the query log of an appliance is kept in, by its settings."""

from __future__ import annotations

from pathlib import Path

from appliance.audit.sqlite import SqliteStore
from appliance.audit.store import Store
from appliance.config import LogSettings
from appliance.errors import ConfigurationError


def store_for(settings: LogSettings, path: Path) -> Store:
    """Where the rows of the log are kept whose files lie beside `path`.

    Raises:
        ConfigurationError: In PostgreSQL, and what speaks to it is not installed.
    """
    if not settings.postgresql:
        return SqliteStore(path)
    try:
        from appliance.audit.postgresql import PostgresqlStore
    except ImportError as error:
        raise ConfigurationError(
            "The query log is to be kept in PostgreSQL, and the driver for it is not installed. Install it with: "
            "pip install -c constraints.txt '.[postgresql]'"
        ) from error
    return PostgresqlStore(path, settings)
