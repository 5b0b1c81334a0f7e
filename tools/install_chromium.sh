#!/bin/sh
# The browser tests open the built site in the system's Chromium. Install Debian's where that can be done.
if [ -n "$CHROMIUM" ]; then
  command -v "$CHROMIUM" >/dev/null 2>&1 && exit 0
  echo "CHROMIUM must name a program, got $CHROMIUM" >&2
  exit 1
fi
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing chromium for the browser tests ..."
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
    >/dev/null 2>&1 && exit 0
fi
echo "chromium is missing: install it (Debian: chromium), or name yours: make test CHROMIUM=..." >&2
exit 1
