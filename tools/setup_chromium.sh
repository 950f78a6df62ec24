#!/usr/bin/env bash
# Make a Chromium available for the browser tests: use the one that is there, else install Debian's as root.
# Where that is not allowed nothing happens, and the browser tests fail with one sentence that names it.
set -euo pipefail

for browser in "${CHROMIUM:-chromium}" chromium chromium-browser google-chrome; do
    command -v "$browser" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Chromium"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null
else
    echo "Chromium is missing and cannot be installed without root and apt-get; the browser tests will fail."
fi
