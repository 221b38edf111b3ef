#!/bin/sh
# Every test, in three runs, none of which has a way out of the machine. The last two go on side by side: a browser waits
# most of its time. Whichever fails, the other is not cut short. Neither waits for the disk, except the long sweeps.
#   1. the trap itself, which must catch planted leaks, or the next run would prove nothing
#   2. everything without a browser, in a network namespace with only the loopback, every attempt to leave counted
#   3. the journeys in a real browser; the served appliance is watched by the trap, every page's requests are checked
# Further arguments go to pytest of run 2; --slow runs the long sweeps there instead.

set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
mkdir -p artefacts
unset PYTHONDONTWRITEBYTECODE # some images set it; hundreds of processes would each compile the same modules

selection="not journey and not slow"
unsynced="$python tests/unsynced.py"
if [ "${1:-}" = --slow ]; then
    shift
    selection="slow"
    unsynced=
fi

if $python tests/offline/trap.py -- true 2>/dev/null; then
    trap_command="$python tests/offline/trap.py --report artefacts/network-attempts.txt --"
    alone="unshare --net sh -c 'ip link set lo up && exec \"\$@\"' sh"
    $python -m pytest -q tests/offline
else
    echo "This machine grants no network namespaces or no filter of system calls: the tests run with Python's guard alone." >&2
    trap_command=
    alone=
    unsynced=
fi

# Tests wait for others half of the time, and each worker grows to 2.5 GB.
workers=2
[ "$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)" -ge 12 ] && workers=3

status=0
if [ "$selection" != slow ]; then
    eval "exec $alone $unsynced $python -m pytest -q -n 2 --dist loadfile --tb=short tests/journeys" >artefacts/journeys.txt 2>&1 &
    journeys=$!
    trap 'kill "$journeys" 2>/dev/null || true' EXIT INT TERM
fi
# shellcheck disable=SC2086
$trap_command $unsynced $python -m pytest -q -n "$workers" --dist loadfile --no-loadscope-reorder -m "$selection" --ignore tests/offline --ignore tests/journeys "$@" || status=$?
if [ "$selection" != slow ]; then
    wait "$journeys" || status=$?
    echo "The journeys:"
    cat artefacts/journeys.txt
fi
exit "$status"
