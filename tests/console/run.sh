#!/usr/bin/env bash
# run: one story of stories/, in Chromium, against real programs. What it needs and cannot have is
# named in the last line, with exit code 77.
#
#   WEIR_BUILD=build tests/console/run.sh NAME
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${WEIR_BUILD:?is set by meson; by hand: WEIR_BUILD=build tests/console/run.sh NAME}"
WEIR_BUILD=$(cd "$WEIR_BUILD" && pwd) || exit 1
export WEIR_BUILD

skip() {
	echo "skipped: $*"
	exit 77
}

[ -x "$WEIR_BUILD/tools/console/weir-console" ] || skip "weir-console was not built (-Dconsole=disabled, or its needs were absent)"
for program in redis-server redis-cli node; do
	command -v "$program" >/dev/null || skip "$program is not installed"
done
WEIR_CHROMIUM=${WEIR_CHROMIUM:-$(command -v chromium)} || skip "chromium is not installed (apt-get install chromium)"
export WEIR_CHROMIUM
export WEIR_MODULES=${WEIR_MODULES:-$WEIR_BUILD/tests/console}
why=$("$here/install.sh" "$WEIR_MODULES") || skip "$why"
exec node "$here/stories/$1.mjs"
