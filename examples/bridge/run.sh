#!/bin/sh
# Starts two servers that are one chat, over the Redis at REDIS_URL. Ctrl+C ends both.
cd "$(dirname "$0")/../.." || exit 1
export REDIS_URL="${REDIS_URL:-redis://127.0.0.1:6379/0}"
uvicorn bridge.app:app --app-dir examples --port 8000 &
first=$!
uvicorn bridge.app:app --app-dir examples --port 8001 &
second=$!
trap 'kill $first $second 2>/dev/null' INT TERM EXIT
echo "Open http://127.0.0.1:8000/?other=http://127.0.0.1:8001"
wait
