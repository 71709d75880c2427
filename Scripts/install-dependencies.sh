#!/bin/sh
# Installs the Debian packages that the build needs, and those named, and says so; does nothing when they are there.
set -eu

needed="pkg-config libopenblas-dev libdnnl-dev libhdf5-dev libpng-dev libjpeg-dev libwebp-dev libpango1.0-dev fonts-dejavu-core $*"

if ! command -v swift >/dev/null 2>&1; then
    echo "error: no 'swift' on the PATH: install Swift 6.3 or newer from swift.org first" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
    for library in openblas hdf5 libpng libjpeg libwebpdemux pangocairo; do
        pkg-config --exists "$library" || { echo "error: no apt-get here; install the development files of $library" >&2; exit 1; }
    done
    echo "#include <oneapi/dnnl/dnnl.h>" | clang -E - >/dev/null 2>&1 \
        || { echo "error: no apt-get here; install the development files of oneDNN" >&2; exit 1; }
    exit 0
fi

missing=""
for package in $needed; do
    state=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

become=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "error: as root, please run: apt-get install$missing" >&2; exit 1; }
    become="sudo"
fi
echo "Installing with apt-get:$missing"
$become apt-get update -qq
# The list is meant to be split into words.
$become env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
