#!/bin/sh
# Every test, in three runs, none of which has a way out of the machine:
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
if [ "${1:-}" = --slow ]; then
    shift
    selection="slow"
fi

if $python tests/offline/trap.py -- true 2>/dev/null; then
    trap_command="$python tests/offline/trap.py --report artefacts/network-attempts.txt --"
    alone="unshare --net sh -c 'ip link set lo up && exec \"\$@\"' sh"
    $python -m pytest -q tests/offline
else
    echo "This machine grants no network namespaces or no filter of system calls: the tests run with Python's guard alone." >&2
    trap_command=
    alone=
fi

# shellcheck disable=SC2086
$trap_command $python -m pytest -q -n 2 --dist loadfile -m "$selection" --ignore tests/offline --ignore tests/journeys "$@"
[ "$selection" = slow ] || eval "$alone" $python -m pytest -q -n 2 --dist loadfile tests/journeys
