#!/bin/sh
# Makes the pictures of the pages anew, light and dark, from the demo. Needs cargo, curl and Chromium ($CHROMIUM).
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

# A name, what is shown, and how large. The overview is the picture of the README, the others are those of docs/api.md.
pages='status-page / 1440,760
wall /wall 1920,1080
token /tenants/globex/tokens/jumpcloud 1440,900
user /tenants/acme-msp/users/101 1440,640
report /report?tenant=acme-msp 1440,900'

# Blink knows 0 as dark and 1 as light.
echo "$pages" | while read -r name page size; do
    for scheme in dark:0 light:1; do
        "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size="$size" \
            --blink-settings=preferredColorScheme="${scheme#*:}" \
            --screenshot="$PWD/docs/images/$name-${scheme%:*}.webp" "http://$address$page" 2>/dev/null </dev/null
    done
done
ls -l docs/images/*.webp
