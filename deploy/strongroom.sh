#!/bin/sh
# The command line of the installed service: its account, its settings. For root, installed as /usr/local/sbin/strongroom.
cd /var/lib/strongroom
exec runuser -u strongroom -- env STRONGROOM_CONFIG=/etc/strongroom/strongroom.toml /opt/strongroom/.venv/bin/strongroom "$@"
