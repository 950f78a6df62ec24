#!/usr/bin/env bash
# Build the page of an example with Vite, into its folder dist; does nothing when it was built from the same files before.
# Usage: tools/build_page.sh FOLDER
set -euo pipefail

cd "$(dirname "$0")/.."
tools/setup_npm.sh "$1"

cd "$1"
stamp="dist/.built"
sources="$(find src index.html package-lock.json tsconfig.json vite.config.ts ../design/style.css -type f | LC_ALL=C sort)"
wanted="$(cksum $sources | cksum)"
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    echo "Building the page of $1"
    npm run --silent build -- --logLevel warn
    echo "$wanted" >"$stamp"
fi
