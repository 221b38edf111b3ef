"""What a sync writes fits its columns, as a database wants it that is strict about lengths; SQLite is not."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import String, select

from appliance.catalog.tables import documents, sources
from appliance.database import metadata
from ingest.plan import Judge
from tests.ingest.conftest import Room, ToyEmbedder

LONGEST_FOLDER = 255  # characters of a name
MODEL_ID = f"{'m' * LONGEST_FOLDER}-0123456789ab"


def test_every_text_of_a_sync_fits_its_column_however_long_the_model_is_called(room: Room) -> None:
    room.embedder = ToyEmbedder(MODEL_ID)
    room.write("rules.txt", "Invoices are kept for ten years.")
    room.write("broken.pdf", b"%PDF-1.7 broken")
    room.sync()
    (version,) = room.catalog.current_versions()
    assert room.catalog.stored_version(version)[0].parser.endswith(MODEL_ID)
    with room.database.read() as connection:
        too_long = [
            (table.name, column.name, row[column])
            for table in metadata.sorted_tables
            for row in connection.execute(select(table)).mappings()
            for column in table.columns
            if isinstance(column.type, String) and column.type.length and len(row[column] or "") > column.type.length
        ]
    assert too_long == []


def test_what_a_document_was_read_with_fits_its_column_whatever_is_set(room: Room) -> None:
    settings = room.settings.model_copy(update={"chunk_tokens": sys.maxsize, "overlap_tokens": sys.maxsize})
    source = replace(room.source, language="x" * _length(sources.c.language.type))
    reading = Judge(source, settings, datetime.now(UTC)).reading
    assert source.language in reading
    assert len(reading) <= _length(documents.c.parser.type)


def _length(kind: object) -> int:
    assert isinstance(kind, String)
    assert kind.length is not None
    return kind.length
