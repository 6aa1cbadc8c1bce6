#!/usr/bin/env bash
# lives: an engine that never lives long enough for a checkpoint of its own takes one for all that
# came before it: what the next has to read does not grow with every life.
# shellcheck disable=SC2317
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq

config_write <<'END'
interval: 60s
lateness: {event: 0s}
checkpoint_intervals: 10
metrics:
  - {name: visits, event: session_start}
detectors: []
END

# live N: another engine, and four intervals more.
live() {
	local m
	weird_start
	echo 'time,n' >"$E2E/visits.csv"
	for m in 0 1 2 3; do
		echo "$((1614556800 + ($1 * 4 + m) * 60)),$1" >>"$E2E/visits.csv"
	done
	"$WEIRCTL" import "$E2E/visits.csv" --socket "$E2E/weir.sock" --event session_start \
		--aggregate count=n --source visits --quiet >/dev/null || fail "import $1"
}

# closed N: the intervals of a life, up to its last but one.
closed() {
	ctl status --json | jq -e --argjson until $(((1614556800 + $1 * 240 + 180) * 1000)) \
		'.sources[] | select(.name == "visits") | .closed_through_ms >= $until' >/dev/null
}

checkpoints() {
	ctl stat --json | jq -es 'map(select(.name == "checkpoints_total"))[0].value' | grep -qx "$1"
}

for life in 0 1; do
	live $life
	wait_for 60 'a short life to close its intervals' closed $life
	checkpoints 0 || fail "a checkpoint, sooner than asked for"
	weird_kill
done
live 2
wait_for 60 'a checkpoint for three short lives' checkpoints 1
weird_kill
weird_start
grep -q 'since close [1-9]' "$WEIRD_LOG" || fail "the checkpoint is not used: $(cat "$WEIRD_LOG")"
weird_stop
"$WEIRCTL" replay "$E2E/data" --compare >"$E2E/out" 2>&1 || fail "replay: $(cat "$E2E/out")"
pass
