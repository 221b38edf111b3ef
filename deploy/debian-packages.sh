#!/bin/sh
# Installs the Debian packages that are missing, or says what is lost without them.
#
#   debian-packages.sh run    what the appliance uses
#   debian-packages.sh test   what its tests use besides

set -eu

run_packages="fonts-dejavu-core tesseract-ocr tesseract-ocr-eng tesseract-ocr-deu tesseract-ocr-fra tesseract-ocr-ita tesseract-ocr-spa tesseract-ocr-osd"
test_packages="chromium-headless-shell strace iproute2 slapd ldap-utils postgresql"

case "${1:-run}" in
run)
    wanted=$run_packages without="scanned pages give no text, and printed papers show Latin letters alone"
    # Debian splits this off its Python: the module that puts pip into a new virtual environment
    if ! "${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null; then
        wanted="python3-venv $wanted" without="there is no virtual environment, and $without"
    fi
    ;;
test)
    wanted=$test_packages without="the tests that need them fail"
    # for the identity provider that single sign-on is tried with; whatever Node.js is there will do
    command -v npm >/dev/null 2>&1 || wanted="$wanted nodejs npm"
    ;;
*) echo "usage: $0 run|test" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "Skipped: this is not a Debian system. Install by other means: $wanted. Without them $without." >&2
    exit 0
fi

missing=
for package in $wanted; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" != installed ]; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "Skipped, because only root may install packages:$missing. Without them $without." >&2
    echo "To install them: sudo apt-get install$missing" >&2
    exit 0
fi

# without a network this ends soon, and the caller goes on with what is installed
quick="-o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 -o Acquire::Retries=1"
echo "Installing Debian packages:$missing"
# shellcheck disable=SC2086
if ! { apt-get update -qq $quick && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $quick --no-install-recommends $missing >/dev/null; }; then
    echo "These packages could not be installed:$missing. Without them $without." >&2
fi
