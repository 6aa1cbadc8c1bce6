# shellcheck shell=bash
# ledger: tests/e2e/app as a process that is told what to do, and the question at the end of every
# story: do the application, the engine, an independent reader and the log agree to the event?
# Sourced after e2e.sh.
#
#   app_start a 1024 0           # beside the script, for app_tell
#   app_tell emit 5000
#   app_tell ledger >>"$E2E/ledgers"
#   ledger_exact                 # of $E2E/ledgers, against the engine that runs; stops it
APP=$WEIR_BUILD/tests/e2e/e2e_app
export WEIR_SOCKET=$E2E/weir.sock

# app_start NAME RING_EVENTS FULL_WAIT_US: its process id is $APP_PID.
app_start() {
	mkfifo "$E2E/$1.in" "$E2E/$1.out"
	"$APP" "$@" - <"$E2E/$1.in" >"$E2E/$1.out" &
	APP_PID=$!
	started $APP_PID
	exec {APP_IN}>"$E2E/$1.in" {APP_OUT}<"$E2E/$1.out"
}

# app_tell COMMAND...: what it says, once it is done.
app_tell() {
	local said
	echo "$*" >&"$APP_IN"
	read -r -t 90 said <&"$APP_OUT" || fail "the application does not answer to $*"
	[ "$said" = "done" ] || echo "$said"
}

# app_end: as an application ends, closing its handle; app_crash: as by kill -9.
app_end() {
	echo end >&"$APP_IN" # an end of file would not do: an engine may hold the other end too
	exec {APP_IN}>&- {APP_OUT}<&-
	wait "$APP_PID" || fail "the application ended with $?"
}

app_crash() {
	kill -KILL "$APP_PID"
	wait "$APP_PID" 2>/dev/null
	exec {APP_IN}>&- {APP_OUT}<&-
}

# sum NAME: of a member over all lines of $E2E/ledgers.
sum() { jq -s "map(.$1) | add" "$E2E/ledgers"; }

status_ledger() {
	ctl status --json | jq -c '[.events_attempted, .events_persisted, .events_rejected,
		.events_dropped, .events_lost, .events_in_ring]'
}

# ledger_status: the engine's sums are the applications'. Its numbers are a few times a second old.
ledger_status() {
	local wanted
	wanted=$(jq -sc '[(map(.attempted) | add), (map(.persisted - .rejected - .lost) | add),
		(map(.rejected) | add), (map(.dropped) | add), (map(.lost) | add), 0]' "$E2E/ledgers")
	for _ in $(seq 60); do
		[ "$(status_ledger)" != "$wanted" ] || return 0
		sleep 0.05
	done
	expect "attempted, persisted, rejected, dropped, lost, in ring by status" \
		"$(status_ledger)" "$wanted"
}

# ledger_log: what is in the directory, by a reader of its own, and event for event.
ledger_log() {
	"$WEIRCTL" verify "$E2E/data" --json >"$E2E/verified" ||
		fail "verify: $(cat "$E2E/verified")"
	expect "ok, persisted, rejected, dropped, lost by verify" "$(jq -c '[.ok, .ledger_ok,
		.persisted, .rejected, .dropped, .lost, .events]' "$E2E/verified")" \
		"$(jq -sc '(map(.persisted - .rejected - .lost) | add) as $kept | [true, true, $kept,
		(map(.rejected) | add), (map(.dropped) | add), (map(.lost) | add), $kept]' "$E2E/ledgers")"
	"$WEIRCTL" dump "$E2E/data" --sum process --json >"$E2E/dumped" || fail "dump ended with $?"
	expect "count and sum of each process" \
		"$(jq -c '[.process, .count, .sum]' "$E2E/dumped" | sort)" \
		"$(jq -c '(.persisted - .rejected - .lost) as $kept | select($kept > 0) |
			[.process, $kept, .sum]' "$E2E/ledgers" | sort)"
}

# ledger_exact: the applications have said everything; so has each judge.
ledger_exact() {
	jq -se 'length > 0 and all(.[]; .attempted == .published + .dropped and
		.published == .persisted)' "$E2E/ledgers" >/dev/null ||
		fail "not exact in itself: $(cat "$E2E/ledgers")"
	ledger_status
	weird_stop
	ledger_log
}
