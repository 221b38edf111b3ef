"""Runs migrations on the connection it is given; there is no other way to run them."""

from alembic import context

from appliance import access_requests, catalog, conversations, history  # noqa: F401 - they define the tables
from appliance.auth import tables  # noqa: F401
from appliance.compliance import cases, erasures, four_eyes, holds, retention, review_queue, sampling_rules  # noqa: F401
from appliance.database import metadata
from appliance.evaluation import store  # noqa: F401

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
