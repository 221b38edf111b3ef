"""What people found helpful, for the command line, alone: the appliance may be running meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from appliance.audit.log import QueryLog
from appliance.auth.accounts import Accounts
from appliance.catalog import Catalog
from appliance.compliance.clock import steady_clock
from appliance.config import Settings
from appliance.conversations import Conversations
from appliance.data_folder import database_in, found_folder
from appliance.evaluation.feedback import PraisedSet, exercises_from, readers_among
from appliance.sealing import seal_what_is_plain


@contextmanager
def praised_of(settings: Settings, log: QueryLog) -> Iterator[tuple[PraisedSet, Catalog]]:
    """What people found helpful, as a golden set, and the documents that it names.

    Raises:
        ConfigurationError: There is no data folder.
        InvalidRequest: Nothing can be asked of what was found helpful.
    """
    scale = settings.access.scale
    with closing(database_in(found_folder(settings))) as database:
        seal_what_is_plain(database, log)  # no start may have come after an update yet
        catalog = Catalog(database)
        people = Accounts(database, steady_clock(database)).people()
        readers = readers_among(people, lambda reader: scale.up_to(scale.clearance(reader.clearance, reader.groups)))
        yield exercises_from(Conversations(database, log).praised(), readers, catalog), catalog
