#!/usr/bin/env bash
# operator-life: what an operator does with anomalies and with a running engine, each as the README
# has it: acknowledge, mute, annotate, feedback, reload, config show and diff. What is muted is stored and not
# published, what still fires at its end is published then; a wrong configuration changes nothing;
# all of it outlives kill -9, and a replay is bit for bit.
# shellcheck disable=SC2119,SC2317
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
# shellcheck source=../support/purchases.sh
. "$(dirname "$0")/../support/purchases.sh"
need jq python3

# live: what minutes has collected, through the engine, until it is scored, stored and told.
live() {
	play
	wait_for 60 "what was found to be told" at_rest
}
status() { ctl status --json | jq -er "(.status // .) | $1"; }
at_rest() { [ "$(status '.events_in_ring + .store.outbox + .store.closes - .store.stored_through')" = 0 ]; }

operate() {
	local wanted=$1 command=$2
	shift 2
	code "$wanted" "$WEIRCTL" "$command" --socket "$E2E/control.sock" "$@"
}
# The id of the only open anomaly of the total.
open_id() {
	ctl anomalies --state open --json | jq -ers 'map(select(.data.slice == "" and .data.metric == "orders")
		| .data.id) | if length == 1 then .[0] else error("\(length) are open") end'
}
# states ID: of its revisions in Redis, in their order.
states() {
	redis xrange weir:test:anomalies - + | grep '^{' |
		jq -rs --arg id "$1" 'map(select(.data.id == $id).data.state) | join(" ")'
}
listed() { ctl anomalies --revisions --json --limit 1000 | jq -rs --arg id "$1" "map(select(.data.id == \$id)) | $2"; }

redis_start
watch_orders
weird_start

# Something is wrong, and somebody looks after it.
minutes 0 100 40
minutes 100 104 200
live
id=$(open_id) || fail "nothing is open: $(ctl anomalies)"
expect "what Redis heard" "$(states "$id")" "firing"
operate 1 ack ffff0000ffff0000
says 'no anomaly with this id'
operate 1 ack "${id:0:12}0000" --json
jq -e '.ok == false and (.error | length > 0)' "$E2E/out" >/dev/null || fail "ack --json: $(cat "$E2E/out")"
operate 0 ack "${id:0:12}" 'calling the warehouse' --author ann
operate 0 annotate 'a wholesaler' --id "${id:0:12}" --author bob
operate 0 anomalies
says 'acknowledged by ann: calling the warehouse'
says 'note by bob: a wholesaler'
operate 0 annotate 'spring sale' --from 2026-01-05 --until 2026-01-06 --metric orders
operate 0 annotate --list
says 'spring sale'
expect "who remarked that" "$(ctl annotate --list --json | jq -r 'select(.text == "spring sale").author')" "$(id -un)"

# An answer that is lost on its way: what was told is told again, and kept once.
cat >"$E2E/lossy.py" <<'END'
import os, socket, sys
lossy, control = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(lossy + '.new')
listener.listen()
os.rename(lossy + '.new', lossy)
for answers in (False, True):
    client, engine = listener.accept()[0], socket.socket(socket.AF_UNIX)
    engine.connect(control)
    engine.sendall(client.makefile('rb').readline())
    answer = engine.makefile('rb').readline()
    if answers:
        client.sendall(answer)
    client.close()
END
python3 "$E2E/lossy.py" "$E2E/lossy.sock" "$E2E/control.sock" &
started $!
wait_for 60 'who loses an answer' test -S "$E2E/lossy.sock"
code 0 "$WEIRCTL" annotate 'said twice' --id "${id:0:12}" --socket "$E2E/lossy.sock" --json
is '.ok and .repeated'
expect "how often it is kept" "$(ctl annotate --list --json | jq -s 'map(select(.text == "said twice")) | length')" 1

# Was it one? What was said is listed with what it does, and taken back.
operate 2 feedback "${id:0:12}"
operate 1 feedback "${id:0:12}" maybe
says 'yes, no, unsure'
operate 1 feedback ffff0000ffff0000 no
says 'no anomaly with this id'
operate 1 feedback "${id:0:12}" --undo
says 'nobody has said anything'
operate 0 feedback "${id:0:12}" unsure
operate 0 feedback "${id:0:12}" no --note 'a wholesaler buys' --author bob
operate 0 anomalies
says 'a false alarm, says bob: a wholesaler buys'
operate 0 feedback --list
says 'threshold 10.00 -> 13.7'
says 'something else was said of this anomaly since'
expect "of what was said" "$(ctl feedback --list --json | jq -r '[.verdict, .direction, .effect.in_force] | join(" ")')" \
	"$(printf 'no 1 true\nunsure 1 false')"
operate 0 feedback "${id:0:12}" --undo
operate 0 feedback --list
says 'taken back'
expect "what holds then" "$(listed "$id" '.[-1].operator.feedback.verdict')" unsure
operate 0 feedback "${id:0:12}" --undo
expect "what holds in the end" "$(listed "$id" '.[-1].operator.feedback')" null

# A mute; what was told before it is resolved for all to hear, what comes within it is not told.
operate 2 mute --metric orders
operate 2 mute --for 2h
operate 0 mute --metric 'ord*' --until 2026-01-05T03:20 --text 'stock-taking' --json
jq -e '.ok and .number > 0' "$E2E/out" >/dev/null || fail "mute --json: $(cat "$E2E/out")"
operate 0 mute --list --all
says 'metric=ord\* until 2026-01-05T03:20:00Z  stock-taking'
minutes 104 150 40
minutes 150 154 200
minutes 154 195 40
minutes 195 198 200
live
expect "the end of what was told" "$(states "$id")" "firing resolved"
operate 0 anomalies --metric orders
grep "^${id:0:8} .*resolved.* 201 instead of" "$E2E/out" >/dev/null ||
	fail "a resolved one is not told by its peak: $(cat "$E2E/out")"
expect "the same as JSON" "$(ctl anomalies --json | jq -r "select(.data.id == \"$id\").strongest.observed")" 201
expect "it was acknowledged" "$(listed "$id" '.[-1].data | [.state, .acknowledged, .muted] | join(" ")')" \
	"resolved true false"
second=$(open_id) || fail "nothing fires within the mute"
expect "what Redis heard of it" "$(states "$second")" ""
expect "it is stored as muted" "$(listed "$second" 'map(.data.muted) | unique | .[0]')" true
operate 0 anomalies
says '\[muted\]'
[ "$(ctl stat --json revisions_muted | jq '.value > 0')" = true ] || fail "what is muted is not counted"
[ "$(ctl stat --json anomalies_withheld | jq '.value > 0')" = true ] || fail "what is withheld is not counted"
within=$(ctl anomalies --json | jq -rs 'map(select(.data.start == "2026-01-05T02:30:00Z" and .data.slice == "").data.id)[0]')
expect "what began and ended within the mute" "$(states "$within")" ""
# It ends at minute 200, and what fires then is told.
minutes 198 203 200
live
expect "what fires at the end of the mute" "$(states "$second")" "firing"
[ -n "$(redis zscore weir:test:open "$second")" ] || fail "what was released is not in the set of open ones"
minutes 203 240 40
live
expect "and its end" "$(states "$second")" "firing resolved"
[ "$(redis ttl "weir:test:anomaly:$second")" -gt 2500000 ] || fail "a resolved anomaly's hash stays for ever"

# Until somebody ends it.
operate 0 mute --slice country=DE --until 2099-01-01
operate 0 mute --metric '*' --severity-below 101 --until 2099-01-01 --json
number=$(jq .number "$E2E/out")
minutes 240 245 200
live
third=$(open_id) || fail "nothing fires within the second mute"
expect "what Redis heard of the third" "$(states "$third")" ""
weird_kill
weird_start
operate 1 unmute 100
operate 2 unmute everything
operate 0 unmute "$number"
told() { [ -n "$(states "$third")" ]; }
wait_for 60 "what the mute withheld" told
operate 1 unmute "$number"
says 'it is over'
expect "what is still muted" "$(ctl mute --list --json | jq -r .slice)" "country=DE"

# Reload: wrong, too much, and right.
cp "$E2E/weir.yaml" "$E2E/before.yaml"
METRICS='  - {name: revenue, event: purchase, agg: bake}'
watch_orders
operate 1 reload
says 'agg'
operate 1 config diff "$E2E/weir.yaml"
METRICS='' LANES=2
watch_orders
operate 1 config diff "$E2E/weir.yaml"
says 'lanes: 1 -> 2  (needs a restart)'
operate 1 reload
says 'lanes'
operate 0 config show
cmp -s "$E2E/out" "$E2E/before.yaml" || fail "a refused configuration is in force"
operate 0 config diff "$E2E/before.yaml"
LANES=1 LATENESS=2m
METRICS='  - {name: revenue, event: purchase, agg: sum, by: [country]}'
DETECTORS='  - {name: revenue-window, metric: revenue, kind: window, window: 30, k: 4, severity: 10}'
watch_orders
operate 1 config diff "$E2E/weir.yaml" --json
expect "what would change" "$(jq -r .key "$E2E/out" | sort | paste -sd ' ')" \
	"detectors.revenue-window lateness.event metrics.revenue"
operate 0 reload
says 'metrics.revenue: (none) -> sum'
says 'in force behind'
operate 0 reload
says 'nothing has changed'
operate 0 config show
cmp -s "$E2E/out" "$E2E/weir.yaml" || fail "config show is not what was loaded"
minutes 245 300 40
minutes 300 304 200
minutes 304 330 40
live
[ -n "$(ctl anomalies --metric revenue --json)" ] || fail "nothing of the metric that reload brought"
# The first detector went on with what it had learned.
[ -n "$(ctl anomalies --metric orders --since 2026-01-05T05:00 --json)" ] || fail "orders are not watched any more"
# By signal, and wrong.
DETECTORS=''
watch_orders
kill -HUP "$WEIRD_PID"
in_force() { ctl config show >"$E2E/out" && cmp -s "$E2E/out" "$E2E/weir.yaml"; }
wait_for 60 "SIGHUP" in_force
echo 'nonsense' >>"$E2E/weir.yaml"
kill -HUP "$WEIRD_PID"
refused() { grep -q 'the configuration stays as it was' "$WEIRD_LOG"; }
wait_for 60 "a word on the wrong configuration" refused
watch_orders

# Everything again, from the logs.
weird_kill
weird_start
minutes 330 340 40
live
weird_stop
code 0 "$WEIRCTL" replay "$E2E/data" --compare --json
jq -e '.ok and .same > 8' "$E2E/out" >/dev/null || fail "replay: $(cat "$E2E/out")"
code 0 "$WEIRCTL" verify "$E2E/data" --json
code 0 "$WEIRCTL" anomalies "$E2E/data"
says 'acknowledged by ann: calling the warehouse'
rm "$E2E/data/weir.db"*
weird_start
weird_stop
code 0 "$WEIRCTL" replay "$E2E/data" --compare --json
code 0 "$WEIRCTL" anomalies "$E2E/data"
says 'acknowledged by ann: calling the warehouse'
pass
