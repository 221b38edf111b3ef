"""The composition root: the one place that builds concrete things from settings.

It is also the one part of the core that knows the ingestion service: the API starts syncs and draws page images through
what is built here. To read how the appliance is put together, begin with `opening`:

    opening         builds everything, chapter by chapter, and closes it the other way round
    appliance       `Appliance`: what there is when that is done
    models          the models that the settings name
    serving         what answers from an index
    exchange        puts another index and its embedding model in the place of those that answer
    evaluated_with  what the result of an evaluation depends on
    collecting      what garbage collection passes over
    put_on_record   what the appliance puts on record of itself
"""

from __future__ import annotations

from appliance.wiring.appliance import Appliance
from appliance.wiring.opening import opened

__all__ = ["Appliance", "opened"]
