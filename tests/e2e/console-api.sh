#!/usr/bin/env bash
# console-api: the console's interface for programs over a real engine. An anomaly is in the list, the
# lanes, its own page and the stream, without being asked for again; what people say of it is seen
# at once and can be taken back; what the engine refuses comes in its words; a stream that broke off
# goes on where it was; the console outlives its engine, and a store that was replaced.
# shellcheck disable=SC2317
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
# shellcheck source=../support/purchases.sh
. "$(dirname "$0")/../support/purchases.sh"
need jq python3 curl
CONSOLE=$WEIR_BUILD/tools/console/weir-console
[ -x "$CONSOLE" ] || skip "weir-console is not built: npm is absent"

# live: what minutes has collected, through the engine, until it is scored and stored.
live() {
	play
	wait_for 60 "what was found to be stored" at_rest
}
at_rest() {
	ctl status --json | jq -e '(.status // .) | .events_in_ring + .store.closes - .store.stored_through == 0' >/dev/null
}

# ask METHOD PATH [BODY]: what the console answers is in $E2E/out, the status in $status.
ask() {
	local body=()
	[ $# -lt 3 ] || body=(--json "$3")
	status=$(curl -sS --max-time 60 --unix-socket "$E2E/console.sock" -X "$1" "${body[@]}" \
		-o "$E2E/out" -w '%{http_code}' "http://localhost/api/v1/$2" 2>"$E2E/err")
}
# tell KEY METHOD PATH [BODY]: under this key.
tell() {
	local key=$1 body=()
	[ $# -lt 4 ] || body=(--json "$4")
	status=$(curl -sS --max-time 60 --unix-socket "$E2E/console.sock" -X "$2" "${body[@]}" \
		-H "Idempotency-Key: $key" -o "$E2E/out" -w '%{http_code}' "http://localhost/api/v1/$3" 2>"$E2E/err")
}
# get PATH: answered, and well.
get() {
	ask GET "$1"
	expect "status of $1" "$status" 200
}
# refused WANTED METHOD PATH [BODY]: with a reason.
refused() {
	local wanted=$1
	shift
	ask "$@"
	expect "status of $*: $(cat "$E2E/out")" "$status" "$wanted"
	is '.error | length > 8'
}
# row FILTER: of the anomaly of this story.
row() { jq -r ".rows[] | select(.id == \"$id\") | $1" "$E2E/out"; }
verdict_is() { get 'anomalies?by=each' && [ "$(row .verdict)" = "$1" ]; }
# holds PATH FILTER: what is answered there comes to be so.
holds() { ask GET "$1" && jq -e "$2" "$E2E/out" >/dev/null; }
status_is() { get 'anomalies?by=each' && [ "$(row .status)" = "$1" ]; }
loaded() { ask GET anomalies && [ "$status" = 200 ] && jq -e '.loading == false' "$E2E/out" >/dev/null; }
shown_is() { get "anomalies?$1" && [ "$(jq .shown "$E2E/out")" = "$2" ]; }

# listen NAME [QUERY [HEADER]]: the stream into $E2E/NAME, in the background.
listen() {
	curl -sSN --unix-socket "$E2E/console.sock" "http://localhost/api/v1/events?topics=anomalies${2:-}" \
		${3:+-H "$3"} >"$E2E/$1" 2>/dev/null &
	listener=$!
	started "$listener"
}
# heard NAME FILTER: an event of that stream whose data answer to the filter.
heard() { sed -n 's/^data: //p' "$E2E/$1" | jq -es "map(select($2)) | length > 0" >/dev/null 2>&1; }

console_start() {
	"$CONSOLE" --listen "unix:$E2E/console.sock" --control "$E2E/control.sock" "$@" >>"$E2E/console.log" 2>&1 &
	console=$!
	started "$console"
	wait_for 60 "the console" loaded
}

redis_start
watch_orders
weird_start
console_start
get session
is '.engine.up'
zone=$(jq .timezone "$E2E/out")
is '(.metrics | length) == 1'
listen stays
listen stream

# It begins, and is everywhere by itself.
minutes 0 100 40
minutes 100 104 200
live
told() { heard stream '.metric? == "orders" and .slice == "" and .state == "firing"'; }
wait_for 60 "the anomaly in the stream" told
get 'anomalies'
is '.shown == 1 and .total == 1 and (.rows | length) == 1 and .loading == false and .cursor == null'
is '.rows[0] | .slice == "" and .status == "open" and .end_ms == null and .unit == "count" and .fired
	and .direction == "up" and .members >= 2 and .kind == "window" and .detector == "orders-window"'
is '.rows[0] | .observed == 201 and .expected > 39 and .expected < 43 and .change > 3.5 and .impact > 100'
is '(.histogram | length) == 101 and (.histogram | add) == 1'
is '.facets.metric == [["orders", 1]] and .facets.status == [["open", 1]] and (.facets.dimension.country | length) >= 1'
id=$(jq -r '.rows[0].id' "$E2E/out")
# What the list says it cost is the sum of its chart, as the anomaly's page has it: soon, and from
# then on.
sums() {
	get 'anomalies?by=each'
	cp "$E2E/out" "$E2E/rows"
	jq -e '[.rows[].impact_about] | any | not' "$E2E/rows" >/dev/null || return
	for row in $(jq '.rows | keys[]' "$E2E/rows"); do
		get "$(jq -r --argjson row "$row" '.rows[$row] | "chart?metric=\(.metric)&source=\(.source)&slice=\(.slice | @uri
			)&from_ms=\(.start_ms)&step_ms=\(.interval_ms)&expected=1"' "$E2E/rows")"
		jq -e --slurpfile list "$E2E/rows" --argjson row "$row" '([.value, .expected] | transpose
			| map(select(.[0] != null) | .[0] - .[1]) | add) as $sum | $list[0].rows[$row].impact
			| . != 0 and . != null and (. / $sum - 1 | fabs) < 0.0001' "$E2E/out" >/dev/null || return
	done
}
wait_for 60 "what the rows cost to be the sums of their charts" sums

get 'anomalies?by=each'
is ".shown == $(jq .rows[0].members "$E2E/out") and ([.rows[].group] | unique | length) == 1"
get 'anomalies?by=each&slice=country%3DIT'
is '.shown == 1 and .rows[0].dimensions == {"country": "IT"}'
get 'anomalies?metric=visits'
is '.shown == 0 and .total == 1 and .facets.metric == [["orders", 1]]'
get 'lanes?rows=country&cells=10'
is '[.lanes[].name] | index("IT") != null'
is '.lanes[0].cells[0] | length == 4'
get 'lanes?cells=24'
is '.lanes | length == 1 and .[0].name == "orders"'
refused 400 GET 'anomalies?severity=high'
refused 400 GET 'anomalies?sort=name'
refused 400 GET 'lanes?from_ms=5&to_ms=4'

# What the first page asks for in one answer is what each would be alone.
get 'anomalies?status=open,acknowledged&severity=0&sort=severity&limit=1'
jq -S 'del(.event_id)' "$E2E/out" >"$E2E/open"
get 'first?within_ms=1000000000000&severity=5&rows=country&cells=10'
cp "$E2E/out" "$E2E/first"
is '.lanes.to_ms - .session.now_ms | 0 <= . and . < 60000'
is '.lanes.to_ms % 60000 == 0'
is '.lanes.to_ms - .lanes.from_ms == 1000000000000 and (.lanes.lanes | length) >= 1'
jq -S '.open | del(.event_id)' "$E2E/first" | cmp -s - "$E2E/open" || fail "open is another list in first"
since_ms=$(jq .lanes.from_ms "$E2E/first")
for part in anomalies lanes; do
	get "$part?severity=5&rows=country&cells=10&from_ms=$since_ms$([ $part = lanes ] && jq -r '"&to_ms=\(.lanes.to_ms)"' "$E2E/first")"
	jq -S 'del(.event_id)' "$E2E/out" >"$E2E/part"
	jq -S ".$part | del(.event_id)" "$E2E/first" | cmp -s - "$E2E/part" || fail "$part is another in first"
done
refused 400 GET 'first'
refused 400 GET 'first?within_ms=0'
refused 400 GET 'first?within_ms=60000&from_ms=5'
refused 400 GET 'first?within_ms=60000&to_ms=5'
refused 400 GET 'first?within_ms=60000&severity=high'

# All about one of them.
get "anomalies/${id:0:10}"
is ".row.id == \"$id\" and (.revisions | length) == 1 and .revisions[0].observed == 201"
is '.members | length >= 2 and .[0].slice == ""'
is '[.contributions[] | (.values | map(.share) | add) | . > 0.999999 and . < 1.000001] | all and length == 1'
is '.came_about | .threshold == 10 and .slices == 3 and (.budget - 5.964 | fabs) < 0.01 and .severity >= .fires_at'
is '.event.specversion == "1.0" and .event.data.state == "firing" and (.event | has("operator") | not)'
is '[.timeline[].kind] == ["revision", "alert"]'
is '.operator == {"ack": null, "feedback": null, "notes": []}'
refused 404 GET anomalies/ffff0000
refused 404 GET anomalies/nonsense

# What people say is there at once, for who asks and who listens, and can be taken back.
ask POST "anomalies/$id/feedback" '{"verdict":"no","text":"a wholesaler","author":"ann"}'
expect "status of feedback" "$status" 200
number=$(jq .number "$E2E/out")
wait_for 60 "the verdict in the list" status_is dismissed
expect "its verdict" "$(row '[.verdict, .feedback] | map(tostring) | join(" ")')" "no $number"
dismissed() { heard stream ".id? == \"$id\" and .status == \"dismissed\""; }
wait_for 60 "the verdict in the stream" dismissed
get "anomalies/$id"
is '.operator.feedback | .author == "ann" and .text == "a wholesaler" and .effect.in_force'
get 'feedback'
is ".feedback[0] | .number == $number and .verdict == \"no\" and .effect.threshold > 13"
ask DELETE "feedback/$number"
expect "status of an undo" "$status" 200
wait_for 60 "what was taken back to be gone" status_is open
refused 409 DELETE "feedback/$number"
refused 404 DELETE feedback/99
refused 404 DELETE feedback/nonsense
ask POST "anomalies/$id/feedback" '{"verdict":"unsure"}'
first=$(jq .number "$E2E/out")
ask POST "anomalies/$id/feedback" '{"verdict":"yes"}'
second=$(jq .number "$E2E/out")
wait_for 60 "what was said last" verdict_is yes
refused 409 DELETE "feedback/$first"
ask DELETE "feedback/$second"
wait_for 60 "what was said before" verdict_is unsure
ask DELETE "feedback/$first"
wait_for 60 "nothing to be said" verdict_is null
ask POST "anomalies/$id/ack" '{"text":"calling the warehouse"}'
expect "status of an acknowledgement" "$status" 200
wait_for 60 "that somebody looks after it" status_is acknowledged
ask POST "anomalies/${id:0:8}/notes" '{"text":"<b>seen</b>"}'
expect "status of a note" "$status" 200
ask POST notes '{"metric":"orders","from_ms":1767571200000,"until_ms":1767574800000,"text":"spring sale"}'
expect "status of a note on a time" "$status" 200
wait_for 60 "the note" holds "anomalies/$id" '.operator.notes | length == 1'
is '.operator.ack.text == "calling the warehouse" and .operator.notes[0].text == "<b>seen</b>"'
is '[.timeline[].kind] | index("ack") != null and index("note") != null and index("feedback") != null'
refused 409 POST "anomalies/$id/feedback" '{"verdict":"maybe"}'
grep -q 'yes, no, unsure' "$E2E/out" || fail "not in the engine's words: $(cat "$E2E/out")"
refused 422 POST "anomalies/$id/feedback" '{"verdict":1}'
refused 422 POST "anomalies/$id/ack" '{"verdict":"yes"}'
refused 409 POST notes '{"text":"of what?"}'
refused 404 POST anomalies/ffff0000/ack '{}'

# A mute holds by the time of the source, which is long ago.
ask POST mutes "{\"id\":\"${id:0:8}\",\"for_ms\":3600000,\"text\":\"stock-taking\"}"
expect "status of a mute" "$status" 200
is '.until_ms > 1767571200000 and .until_ms < 1767600000000'
number=$(jq .number "$E2E/out")
wait_for 60 "the mute" status_is muted
get mutes
is ".mutes | length == 1 and .[0].number == $number and .[0].text == \"stock-taking\""
get "anomalies/$id"
is ".mutes[0].number == $number and .mutes[0].only"
ask DELETE "mutes/$number"
expect "status of its end" "$status" 200
wait_for 60 "the end of the mute" status_is acknowledged
refused 409 DELETE "mutes/$number"
refused 404 DELETE mutes/all
refused 409 POST mutes '{"for_ms":3600000}'
refused 422 POST mutes '{"metric":"orders","for_ms":"1h"}'
refused 422 POST mutes '{"metric":"orders","for_ms":-1}'
ask POST mutes '{"metric":"ord*","source":"shop","for_ms":60000}'
wait_for 60 "the mute of its kind" status_is muted

# What is sent twice under one key is said once.
once() {
	tell called-1 POST "anomalies/$id/notes" '{"text":"once"}'
	expect "status of what is said under a key: $(cat "$E2E/out")" "$status" 200
}
once
number=$(jq .number "$E2E/out")
is 'has("repeated") | not'
once
is ".number == $number and .repeated"
tell called-1 POST "anomalies/$id/ack" '{}'
expect "status of something else under it" "$status" 409
is '.error | test("something else was said under this key")'
tell 'called 1' POST "anomalies/$id/notes" '{"text":"once"}'
expect "status of a key with a blank" "$status" 400
wait_for 60 "the note under a key" holds "anomalies/$id" '[.operator.notes[] | select(.text == "once")] | length == 1'

# A stream that breaks off goes on where it was; the mute ends by itself, as does the anomaly.
kill "$listener"
wait "$listener" 2>/dev/null
last=$(sed -n 's/^id: //p' "$E2E/stream" | tail -n 1)
minutes 104 150 40
live
wait_for 60 "its end" status_is resolved
listen by_header '' "Last-Event-ID: $last"
listen again "&last_id=$last"
over() { heard again ".id? == \"$id\" and .status == \"resolved\" and .muted == false and .end_ms != null"; }
wait_for 60 "what was missed" over
wrong=$(sed -n 's/^id: //p' "$E2E/again" | awk -v last="$last" '$1 <= last' | wc -l)
expect "events told twice" "$wrong" 0
! grep -q 'event: reset' "$E2E/again" || fail "the stream began anew"
# Word for word what somebody heard who was there all the while, however one says where one was.
missed() { sed -n 's/^id: \|^data: //p' "$E2E/$1" | awk -v last="$last" '/^[0-9]+$/ { later = $1 > last } later'; }
same() { [ -n "$(missed stays)" ] && [ "$(missed stays)" = "$(missed "$1")" ]; }
wait_for 60 "all that was missed" same again
wait_for 60 "all that was missed, by the header" same by_header
refused 409 POST "anomalies/$id/ack" '{}'
grep -q 'resolved' "$E2E/out" || fail "not in the engine's words: $(cat "$E2E/out")"

# The engine hangs: two who tell it something wait for it, and nobody else does.
engine_is() { get session && jq -e ".engine.up == $1" "$E2E/out" >"$E2E/null"; }
note() {
	curl -s --max-time "$1" --unix-socket "$E2E/console.sock" --json '{"text":"anybody?"}' \
		"http://localhost/api/v1/anomalies/$id/notes"
}
kill -STOP "$WEIRD_PID"
tellers=()
for i in 1 2; do
	note 60 >"$E2E/null.$i" &
	tellers+=($!)
done
refused_at_once() { note 1 >"$E2E/out" && grep -q error "$E2E/out"; }
wait_for 60 "one too many to wait" refused_at_once
waiting() { kill -0 "${tellers[0]}" 2>"$E2E/null" || kill -0 "${tellers[1]}" 2>"$E2E/null"; }
curl -sf --max-time 60 --unix-socket "$E2E/console.sock" http://localhost/-/healthy >"$E2E/null" ||
	fail "the console is not healthy beside an engine that hangs"
get session
waiting || fail "the console answered when nobody waited for the engine any more"
wait_for 60 "word of an engine that hangs" engine_is false
kill -CONT "$WEIRD_PID"
wait "${tellers[@]}"
wait_for 60 "the engine again" engine_is true

# The engine is away: what is known is shown, what would change it is not taken.
weird_stop
get 'anomalies?status=resolved'
is '.shown == 1'
get "anomalies/$id"
is '.came_about.severity > 10'
refused 503 POST "anomalies/$id/notes" '{"text":"anybody there?"}'
refused 503 POST demo '{}'
get feedback
is '.feedback | length >= 3'

# The engine is back, with a store made anew from the log.
rm -f "$E2E/data/weir.db"*
weird_start
wait_for 60 "the anomaly in the new store" status_is resolved
expect "who looked after it" "$(row .ack)" true
wait_for 60 "the engine again" engine_is true
once
is ".number == $number and .repeated"
get "anomalies/$id"
is '[.operator.notes[] | select(.text == "once")] | length == 1'
refused 409 POST demo '{}'
is '.error | test("holds data")'
minutes 150 154 200
live
wait_for 60 "another one" shown_is '' 2
ids=$(get 'anomalies?by=each&sort=severity&limit=2' && jq -c '[.rows[].id]' "$E2E/out")
cursor=$(jq -r .cursor "$E2E/out")
get "anomalies?by=each&sort=severity&limit=100&cursor=$cursor"
is "($ids - [.rows[].id]) == $ids and (.rows | length) == .shown - 2"

# Another life altogether: everybody is told to look again.
weird_stop
mv "$E2E/data" "$E2E/before"
: >"$E2E/again"
weird_start
again() { grep -q 'event: reset' "$E2E/again"; }
wait_for 60 "a word on the other store" again
wait_for 60 "an empty list" shown_is '' 0
weird_stop
mv "$E2E/data" "$E2E/between"
mv "$E2E/before" "$E2E/data"
weird_start
wait_for 60 "the list of before" shown_is '' 2

# A console that starts while the engine is away, on its directory.
stop_pid "$console" TERM 30 || fail "the console ended with $?"
weird_stop
console_start --data "$E2E/data"
wait_for 60 "what metrics are" shown_is '' 2
get 'anomalies'
is '.rows[0].unit == "count" and .rows[0].impact > 0 and .loading == false'
get session
is '.first_run.needed == false and .engine.up == false and .metrics[0].unit == "count" and (.metrics | length) == 1'
expect zone "$(jq .timezone "$E2E/out")" "$zone"
pass
