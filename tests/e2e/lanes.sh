#!/usr/bin/env bash
# lanes: an engine with fewer lanes than the one before. What the others have left is kept as long as
# the rest, then goes; nothing of this is a fault in the eyes of `weirctl verify` and `replay`.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"

config() {
	config_write <<-END
		lanes: $1
		interval: 1s
		checkpoint_intervals: 1
		log: {segment_bytes: 1MiB, retain_age: $2}
		metrics:
		  - {name: views, event: page_view, agg: count}
		detectors:
		  - {name: views-window, metric: views, kind: window}
	END
}

emit() {
	for _ in 1 2 3; do
		"$WEIRCTL" emit --socket "$E2E/weir.sock" page_view device=mobile >/dev/null ||
			fail "weirctl emit"
	done
}

sound() {
	"$WEIRCTL" verify "$E2E/data" >"$E2E/verify.out" 2>&1 ||
		fail "$1: verify: $(cat "$E2E/verify.out")"
	"$WEIRCTL" replay "$E2E/data" >"$E2E/replay.out" 2>&1 ||
		fail "$1: replay: $(cat "$E2E/replay.out")"
}

files() { find "$E2E/data/lane-01" "$E2E/data/lane-02" -type f | wc -l; }

none() { [ "$(files)" = 0 ]; }

config 3 1d
weird_start
emit
weird_stop
sound "three lanes"
[ "$(files)" -ge 2 ] || fail "two lanes have no segments"

config 1 1d
weird_start
emit
sleep 2
weird_stop
[ "$(files)" -ge 2 ] || fail "what is younger than retain_age is gone"
sound "one lane of three"

config 1 2s
weird_start
wait_for 60 "the old lanes' segments to go" none
emit
weird_stop
sound "one lane"

config 3 1d
weird_start
emit
weird_stop
sound "three lanes again"
pass
