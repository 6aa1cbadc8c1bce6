#!/usr/bin/env bash
# clocks: the machine's clock is set by seconds, days and years, forwards and backwards, under a
# running engine and before one starts. Every event is kept once, the log is whole, and a replay of it
# says what the engine said.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq

library=$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)
[ -n "$library" ] || skip "libfaketime is not installed (Debian: faketime)"
# Only the time of day: what is measured by the other clocks goes on.
export FAKETIME_TIMESTAMP_FILE=$E2E/time FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1
set_clock() {
	echo "$1" >"$E2E/time.new"
	mv "$E2E/time.new" "$E2E/time"
}
set_clock +0
faked() { LD_PRELOAD=$library "$@"; }
[ "$(set_clock -3000d && faked date +%Y)" -lt "$(date +%Y)" ] || skip "libfaketime changes no clock here"

config_write <<'END'
interval: 1s
metrics: [{name: orders, event: purchase}]
detectors: [{metric: orders, kind: window}]
END
# start: an engine that sees the clock that is set.
start() {
	: >"$WEIRD_LOG"
	LD_PRELOAD=$library "$WEIRD" --config "$E2E/weir.yaml" >>"$WEIRD_LOG" 2>&1 &
	WEIRD_PID=$!
	wait_for 120 "an engine at $(faked date)" grep -q 'ready: producers' "$WEIRD_LOG"
}
steps=0
emitted=0
# step OFFSET: the clock is set; what is written then is kept.
step() {
	set_clock "$1"
	steps=$((steps + 1))
	faked "$WEIRCTL" emit --socket "$E2E/weir.sock" --wait --timeout 60s purchase value=1 >/dev/null ||
		fail "an event was not kept after the clock was set to $1"
	emitted=$((emitted + 1))
}

# Its own time runs at one and a half at most, whatever the clock says: no interval is closed early.
early() {
	ctl status --json | jq -e --argjson most "$(($1 + ($(date +%s%3N) - $1) * 3 / 2 + 2000))" \
		'(.status // .) | [.sources[].closed_through_ms] | max > $most' >/dev/null
}
has_closed() { ctl status --json | jq -e '(.status // .) | [.sources[].closed_through_ms] | max > 0' >/dev/null; }

wrong=0
set_clock +0
began=$(date +%s%3N)
start
for offset in +5s -5s +1h -1h +40d -40d +0 +3000d -3000d +1s -12000d +0; do step "$offset"; done
wait_for 120 "a closed interval" has_closed
! early "$began" || wrong=$((wrong + 1))
weird_stop
# And an engine that finds another year than the last one left.
for offset in +2s +40d -40d -3000d +400d; do
	set_clock "$offset"
	start
	step "$offset"
	weird_stop
done
replayed
"$WEIRCTL" verify "$E2E/data" --json >"$E2E/out"
grep -q "\"events\":$emitted," "$E2E/out" || fail "not $emitted events: $(cat "$E2E/out")"
proof clock-steps "$steps" "$wrong"
pass
