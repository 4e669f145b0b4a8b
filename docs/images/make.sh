#!/bin/sh
# Makes the pictures of the status page anew, light and dark, from the demo. Needs cargo, curl and Chromium ($CHROMIUM).
set -eu
cd "$(dirname "$0")/../.."
chromium=${CHROMIUM:-chromium}
log=$(mktemp)

cargo build --quiet
cargo run --quiet -- --log-format json demo 2>"$log" &
demo=$!
trap 'kill "$demo" 2>/dev/null || true; rm -f "$log"' EXIT

# The demo takes another port if the usual one is taken, and its incidents begin after some twenty seconds.
seen() {
    grep -q "$1" "$log"
}
until seen '"alert":"TokenExpired","status":"firing"' && seen '"alert":"PermissionLost","status":"firing"'; do
    kill -0 "$demo"
    sleep 1
done
address=$(sed -n 's/.*"event":"started".*"listen":"\([^"]*\)".*/\1/p' "$log")
curl --silent --fail "http://$address/-/healthy" >/dev/null

# Blink knows 0 as dark and 1 as light.
for scheme in dark:0 light:1; do
    "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1440,760 \
        --blink-settings=preferredColorScheme="${scheme#*:}" \
        --screenshot="$PWD/docs/images/status-page-${scheme%:*}.webp" "http://$address/" 2>/dev/null
done
ls -l docs/images/*.webp
