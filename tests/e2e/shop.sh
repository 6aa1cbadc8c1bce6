#!/usr/bin/env bash
# shop: weir-shop against a real engine: the same events whatever the number of processes and
# threads, nobody late, nothing lost, in time when it plays as lived, and a clean end.
# shellcheck disable=SC2119,SC2317
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq awk

# A small shop: an hour's interval, so that its incident shows; some 350,000 events.
small=(--rate 100 --interval 1h --days 2 --lead 3 --length 3 --tail 1 --json)

config_write <<'END'
interval: 1h
lateness: {event: 1h}
metrics:
  - {name: page_views, event: page_view, by: [country]}
END

# shop NAME OPTION...: run it to its end; its JSON in $said, its exit code in $code.
shop() {
	local source=$1
	shift
	said=$(timeout 60 "$WEIR_SHOP" --socket "$E2E/weir.sock" --source "$source" "$@" 2>"$E2E/shop.log")
	code=$?
}

is() { jq -e "$1" <<<"$said" >/dev/null || fail "$1 does not hold of $said $(cat "$E2E/shop.log")"; }

exact='.events_attempted == .events_published + .events_dropped
	and .events_published == .events_persisted and .events_rejected == 0 and .events_lost == 0'

# What was emitted for a source, whoever emitted it: one line for each event, sorted.
events_of() {
	"$WEIRCTL" dump "$E2E/data" --csv --source "$1" |
		awk -F, 'NR > 1 { print $1, $6, $8, $9, $10, $11 }' | LC_ALL=C sort
}

# Without an engine it waits as long as it was told, then says so.
shop none "${small[@]}" --patience 1
expect "exit code without an engine" "$code" 3
grep -q 'is weird running?' "$E2E/shop.log" || fail "no hint: $(cat "$E2E/shop.log")"

# With an engine that comes later nothing is lost.
timeout 60 "$WEIR_SHOP" --socket "$E2E/weir.sock" --source early "${small[@]}" --speed 0 \
	--truth "$E2E/truth" >"$E2E/early" 2>"$E2E/shop.log" &
early=$!
started "$early"
wait_for 60 "the truth" test -s "$E2E/truth"
weird_start
wait "$early" || fail "the early shop ended with $?: $(cat "$E2E/shop.log")"
said=$(cat "$E2E/early")
is "$exact"
is '.stopped == false and (.planted | test("="))'
jq -e --argjson said "$said" '. as $t | $said | with_entries(select(.key | in($t))) == $t' \
	"$E2E/truth" >/dev/null || fail "the truth is another: $(cat "$E2E/truth") and $said"

# One worker and six deal out the same events.
shop one "${small[@]}" --speed 0 --processes 1
is "$exact and .events_dropped == 0"
expect "exit code" "$code" 0
one=$(jq .events_attempted <<<"$said")
shop six "${small[@]}" --speed 0 --processes 2 --threads 3
is "$exact and .events_dropped == 0 and .events_attempted == $one"
[ "$one" -gt 200000 ] || fail "only $one events"
events_of one >"$E2E/one"
expect "events of six workers" "$(events_of six | cmp - "$E2E/one" && echo same)" same
expect "events in the log of one" "$(wc -l <"$E2E/one")" "$one"
shop other "${small[@]}" --speed 0 --seed 2
events_of other | cmp -s - "$E2E/one" && fail "seed 2 gives what seed 1 gives"

# As lived: from three hours before the onset to an hour after the end, at four hours a second.
shop lived "${small[@]}" --speed 14400
is "$exact and .events_attempted == $one"
is '.seconds >= (.last_ms - .live_ms) / 14400000 and .seconds < (.last_ms - .live_ms) / 14400000 + 10'

# A request to stop ends it within seconds, in order, with an exact ledger.
"$WEIR_SHOP" --socket "$E2E/weir.sock" --source stopped "${small[@]}" --speed 1 >"$E2E/stopped" &
stopped=$!
started "$stopped"
lived() { [ "$("$WEIRCTL" dump "$E2E/data" --source stopped --sum source --csv | wc -l)" -gt 1 ]; }
wait_for 60 "the shop that is to be stopped" lived
kill -TERM "$stopped"
wait "$stopped"
expect "exit code after SIGTERM" $? 0
said=$(cat "$E2E/stopped")
is "$exact and .stopped"

# Now, by the wall clock: an application like any other.
timeout --signal=INT 3 "$WEIR_SHOP" --socket "$E2E/weir.sock" --clock wall --no-incident --rate 6000 \
	--source live-shop --json >"$E2E/wall"
said=$(cat "$E2E/wall")
is "$exact and .stopped and .clock == \"wall\""
is '.events_attempted > 10'

# A shop that is too small for an incident is told what would do.
shop tiny --rate 1 --json
expect "exit code of a shop that is too small" "$code" 2
grep -q -- '--rate to [0-9]*' "$E2E/shop.log" || fail "no advice: $(cat "$E2E/shop.log")"

weird_stop
"$WEIRCTL" verify "$E2E/data" --refuse-late --json >"$E2E/verify" || fail "verify: $(cat "$E2E/verify")"
pass
