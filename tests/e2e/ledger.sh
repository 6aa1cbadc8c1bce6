#!/usr/bin/env bash
# ledger: whoever comes first, goes away or multiplies, every event is kept or counted. Each story
# ends with the application, the engine, `weirctl verify` and the log agreeing to the event.
# shellcheck disable=SC2119
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
# shellcheck source=../support/ledger.sh
. "$(dirname "$0")/../support/ledger.sh"
need jq

# story TEXT: a new data directory, nobody there.
stories=0
story() {
	stories=$((stories + 1))
	echo "$1"
	rm -rf "$E2E/data" "$E2E"/*.in "$E2E"/*.out
	: >"$E2E/ledgers"
}

story "the engine comes first"
weird_start
"$APP" first 65536 0 emit 20000 threads 3 5000 wait 60000 ledger >>"$E2E/ledgers" || fail "app $?"
ledger_exact

story "the application comes first, and fills its ring"
app_start early 4096 0
app_tell emit 5000
weird_start
app_tell wait 60000
app_tell emit 1000
app_tell wait 60000
app_tell ledger >>"$E2E/ledgers"
expect "events before the engine beyond the ring" "$(sum dropped_full)" $((5000 - 4096))
app_end
ledger_exact

for end in weird_stop weird_kill; do
	story "the engine is away for longer than the ring lasts ($end)"
	weird_start
	app_start away 1024 0
	app_tell emit 1000
	app_tell wait 60000
	$end
	app_tell emit 5000
	app_tell emit 700
	weird_start
	app_tell wait 60000
	app_tell emit 500
	app_tell wait 60000
	app_tell ledger >>"$E2E/ledgers"
	expect "events while it was away beyond the ring" "$(sum dropped_full)" $((5700 - 1024))
	ledger_exact
	app_end
done

story "the engine is stopped just after drops"
weird_start
app_start brisk 64 0
for _ in 1 2 3; do
	kill -STOP "$WEIRD_PID"
	app_tell emit 1000
	kill -CONT "$WEIRD_PID"
	app_tell wait 60000
done
app_tell ledger >"$E2E/ledgers"
expect "events beyond the ring" "$(sum dropped_full)" $((3 * (1000 - 64)))
ledger_exact
app_end

story "an application forks 8 children"
weird_start
"$APP" parent 4096 2000000 emit 1000 fork 8 20000 emit 1000 wait 60000 ledger \
	>>"$E2E/ledgers" || fail "app $?"
expect "processes" "$(wc -l <"$E2E/ledgers")" 9
expect "events" "$(sum attempted)" $((8 * 20000 + 2000))
ledger_exact

story "64 processes at once"
weird_start
pids=()
for i in $(seq 64); do
	"$APP" "many-$i" 8192 0 emit 30000 wait 60000 ledger >"$E2E/many-$i" &
	pids+=($!)
	started $!
done
for pid in "${pids[@]}"; do wait "$pid" || fail "an application ended with $?"; done
cat "$E2E"/many-* >"$E2E/ledgers"
expect "processes" "$(wc -l <"$E2E/ledgers")" 64
ledger_exact

# supervised PID: the engine under it.
supervised() { ctl status --json 2>/dev/null | jq -e ".pid as \$pid | \$pid != $1" >/dev/null; }
worker() { ctl status --json | jq .pid; }

for fate in sleeps dies; do
	story "an application $fate while its engine is killed (weird --supervise)"
	weird_start --supervise
	app_start idle 8192 0
	app_tell emit 3000
	app_tell wait 60000
	engine=$(worker)
	kill -STOP "$engine" # so that what follows stays in the ring
	app_tell emit 4000
	app_tell ledger >"$E2E/before"
	[ $fate = sleeps ] || app_crash
	kill -KILL "$engine"
	wait_for 60 "the next engine" supervised "$engine"
	# Nobody has said a word to it: it has the ring from its parent.
	jq -c '.persisted = .published' "$E2E/before" >"$E2E/ledgers"
	ledger_status
	if [ $fate = sleeps ]; then
		app_tell emit 10
		app_tell wait 60000
		app_tell ledger >"$E2E/ledgers"
		app_end
	fi
	ledger_exact
done
proof ledger-stories "$stories" 0
pass
