#!/usr/bin/env bash
# unkept: an engine with log.io none sums and detects, says that it keeps nothing, claims nothing to
# be persisted, and starts empty; it takes no directory that holds a log.
# shellcheck disable=SC2119
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq

config() {
	config_write <<END
interval: 1s
lateness: {wall: 0s, event: 0s}
log: {io: $1}
metrics:
  - {name: orders, event: purchase}
detectors:
  - {metric: orders, kind: rule, above: 2}
END
}
emit() { "$WEIRCTL" emit purchase --socket "$E2E/weir.sock" "$@"; }
status() { "$WEIRCTL" status --socket "$E2E/control.sock" --json; }
fired() { "$WEIRCTL" anomalies --socket "$E2E/control.sock" --json | jq -es 'length > 0' >/dev/null; }

config none
weird_start
grep -q 'no event is kept' "$WEIRD_LOG" || fail "it does not say so: $(cat "$WEIRD_LOG")"
# Everything runs: events are summed, intervals closed, a rule fires.
for _ in 1 2 3 4 5 6 7 8; do
	emit --json >"$E2E/out" 2>"$E2E/err"
	expect 'exit code of emit' $? 0
	is '.ok and .published == 1 and .persisted == 0 and .durable == 0'
done
emit 2>"$E2E/err"
expect 'exit code of emit' $? 0
says 'keeps nothing'
wait_for 60 'an anomaly' fired
status >"$E2E/out"
is '.events_unkept == 9 and .events_persisted == 0 and .events_attempted == 9'
is '.events_in_ring == 0 and .events_lost == 0 and .events_dropped == 0'
is '.lanes[0].bytes == 0 and .lanes[0].blocks == 0'
"$WEIRCTL" status --socket "$E2E/control.sock" >"$E2E/out"
says '9 not kept (log.io is none)'
says 'none, durability none'
"$WEIRCTL" doctor --config "$E2E/weir.yaml" >"$E2E/out"
says 'no event is kept: log.io is none'
! grep -q 'never cleared' "$E2E/out" || fail "it speaks of a log: $(cat "$E2E/out")"
# Whoever watches it sees events come.
while emit --json >"$E2E/emitted"; do :; done &
emitting=$!
started "$emitting"
flows() {
	"$WEIRCTL" top --socket "$E2E/control.sock" --json -n 1 --interval 200ms >"$E2E/out"
	jq -e '.events_per_second > 0' "$E2E/out" >/dev/null
}
wait_for 60 'events in top' flows
"$WEIRCTL" top --socket "$E2E/control.sock" --once --interval 200ms >"$E2E/out"
says 'events/s taken, none kept'
stop_pid "$emitting" TERM 5
is_there=$(ls "$E2E/data")
expect 'what lies in the data directory' "$(grep -cE 'lane|control|checkpoint' <<<"$is_there")" 0
weird_stop

# The next one starts empty, and says so.
weird_start
grep -q 'what the last one knew is gone' "$WEIRD_LOG" || fail "it says: $(cat "$WEIRD_LOG")"
status >"$E2E/out"
is '.events_unkept == 0 and .events_attempted == 0 and .durability == "none"'
fired && fail 'an anomaly has survived'
weird_stop

# One that keeps a log begins one there, and its directory is its own from then on.
config auto
weird_start
grep -q 'kept no log' "$WEIRD_LOG" || fail "it says: $(cat "$WEIRD_LOG")"
emit --json >"$E2E/out"
is '.ok and .persisted == 1'
weird_stop
config none
"$WEIRD" --config "$E2E/weir.yaml" >"$E2E/out" 2>&1 && fail 'an engine that keeps nothing took a directory with a log'
says 'holds a log'
# Not without its name either, as a copy or a restore may leave it.
rm "$E2E/data/store.id"
"$WEIRD" --config "$E2E/weir.yaml" >"$E2E/out" 2>&1 && fail 'an engine that keeps nothing took a log without its name'
says 'holds a log'
[ ! -e "$E2E/data/NOT-KEPT" ] || fail 'a directory with a log is marked'
pass
