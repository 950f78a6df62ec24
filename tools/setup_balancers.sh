#!/usr/bin/env bash
# Make nginx, HAProxy and systemd's checks available for the tests of the guides to deployment: install Debian's as root if
# they are missing. (Traefik and Caddy come with the extra "test".)
# Where that is not allowed nothing happens, and these tests fail with one sentence that names the program.
set -euo pipefail

export PATH="$PATH:/usr/sbin:/usr/local/sbin"
missing=()
for program in nginx haproxy; do
    command -v "$program" >/dev/null 2>&1 || missing+=("$program")
done
command -v systemd-analyze >/dev/null 2>&1 || missing+=(systemd)
[ "${#missing[@]}" = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "${missing[*]} cannot be installed without root and apt-get; the tests of deployment will fail."
fi
