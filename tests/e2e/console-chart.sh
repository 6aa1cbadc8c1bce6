#!/usr/bin/env bash
# The console's charts and figures against a real engine: the demo's button brings a shop; what a
# chart says was expected is what the engine said live; today's figures add up to it; notes and the
# calendar stand in it; with the engine away it is all there still.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq curl
CONSOLE=$WEIR_BUILD/tools/console/weir-console
[ -x "$CONSOLE" ] || skip "weir-console is not built"
console_pid=

# What the button starts: a shop, but a small and quick one, which fails the first time.
shop_options=(--days 6 --rate 120 --speed 0 --no-incident --tail 0)
cat >"$E2E/shop" <<-END
	#!/bin/sh
	echo "\$@" >>"$E2E/shop.args"
	[ "\$(wc -l <"$E2E/shop.args")" -gt 1 ] || exit 3
	exec "$WEIR_SHOP" "\$@" ${shop_options[*]}
END
chmod +x "$E2E/shop"

console_start() {
	rm -f "$E2E/console.sock"
	"$CONSOLE" --listen "unix:$E2E/console.sock" --control "$E2E/control.sock" --shop "$E2E/shop" "$@" \
		>>"$E2E/console.log" 2>&1 &
	console_pid=$!
	started "$console_pid"
	wait_for 60 'the console' curl -sf --unix-socket "$E2E/console.sock" http://localhost/-/healthy -o "$E2E/null"
}

console_stop() { stop_pid "$console_pid" TERM 20 || fail "the console ended with $?"; }

# http CODE PATH [CURL OPTION...]: what is answered is in $E2E/out.
http() {
	local wanted=$1 path=$2
	shift 2
	expect "status of $path" "$(curl -sS --compressed --unix-socket "$E2E/console.sock" -o "$E2E/out" \
		-w '%{http_code}' "$@" "http://localhost/api/v1/$path")" "$wanted"
}
post() { http "$1" "$2" -X POST -H 'Content-Type: application/json' -d '{}'; }

config_write <<-END
	interval: 1m
	timezone: Europe/Berlin
	metrics:
	  - {name: page_views, event: page_view, by: [country]}
	  - {name: orders, event: purchase, by: [country]}
	  - {name: conversion, ratio: orders / page_views}
	  - {name: revenue, event: purchase, agg: sum, field: value, by: [country]}
	  - {name: basket, event: purchase, agg: mean, field: value}
	  - {name: basket_p90, event: purchase, agg: p90, field: value}
	detectors:
	  - {name: views, metric: page_views}
	  - {name: limit, metric: page_views, kind: rule, above: 100000}
	  - {name: orders, metric: orders, kind: window, window: 4h, k: 4}
	  - {name: conversion, metric: conversion}
	  - {name: revenue, metric: revenue}
	  - {name: basket, metric: basket}
END

# Before the engine, and before the first event.
console_start
http 503 overview
is '.error | test("start it, or give --data")'
post 503 demo
weird_start
# It is known to be away for a second still.
back() { curl -sf --unix-socket "$E2E/console.sock" http://localhost/api/v1/overview -o "$E2E/null"; }
wait_for 60 'the engine to be seen' back
http 200 overview
is '.from_ms == null and .metrics == []'
http 200 series
is '.metrics == []'
http 404 'chart?metric=orders'

# The button.
demo_is() { http 200 session && jq -e ".first_run.demo == \"$1\"" "$E2E/out" >"$E2E/null"; }
post 200 demo
wait_for 60 'the failure of the shop' demo_is ready
grep -q 'weir-shop failed: its exit code is 3' "$E2E/console.log" || fail "$(cat "$E2E/console.log")"
post 200 demo
is '.demo == "running"'
post 409 demo
is '.error | test("already")'
wait_for 120 'the end of the shop' demo_is 'done'
grep -q "^--socket .*/weir.sock --interval 60000ms$" "$E2E/shop.args" || fail "$(cat "$E2E/shop.args")"
end_ms=$("$WEIR_SHOP" --plan "${shop_options[@]}" | jq .last_ms)
kept() { closed shop "$end_ms" && http 200 overview && jq -e ".through_ms >= $end_ms" "$E2E/out" >"$E2E/null"; }
wait_for 60 'the last interval' kept
post 409 demo
is '.error | test("holds data already")'

# What there is.
http 200 series
is '.metrics | map(.metric) == ["basket", "basket_p90", "conversion", "orders", "page_views", "revenue"]'
is '.metrics[] | select(.metric == "orders") | .slices == 7 and .aggregation == "count" and .source == "shop"'
http 200 'series?metric=orders&q==i&limit=1'
is '.slices == [{"source": "shop", "slice": "country=IT"}] and (.more | not)'
http 200 'series?metric=orders&limit=3'
is '(.slices | length) == 3 and .more'
http 404 'series?metric=nothing'

# Questions that have no answer.
for query in '' '?metric=' '?metric=orders&points=0' '?metric=orders&points=5001' '?metric=orders&from_ms=soon' \
	'?metric=orders&compare=decade' '?metric=orders&from_ms=2000&to_ms=1000' '?metric=orders&expected=2'; do
	http 400 "chart$query"
	is '.error | length > 10'
done
http 404 'chart?metric=orders&detector=nobody'
is '.error == "orders has no detector nobody; it has orders"'
http 404 'chart?metric=orders&slice=country%3DXX'

# Steps, and what is held against them.
http 200 'chart?metric=revenue&back_ms=432000000&compare=day,year'
is '.step_ms == 900000 and (.time_ms | length) == 480 and .detector == "revenue" and .unit == "value"'
is '[.value, .expected, .lower, .upper, .severity, .compare.day] | map(length) == [480, 480, 480, 480, 480, 480]'
is '[.compare.day[96:], .value[:-96]] | .[0] == .[1]'
is '.compare.year | all(. == null)'
is '.compare_step_ms.year == null and .compare_step_ms.day == 900000'
is '[.lower, .expected, .upper] | transpose[200:] | all(.[0] <= .[1] and .[1] <= .[2])'
http 200 'chart?metric=revenue&back_ms=432000000&step_ms=86400000'
is '.local and (.time_ms | all((. / 3600000) % 24 == 22)) and .open.intervals == 1440'
http 200 'chart?metric=page_views&detector=limit&back_ms=3600000'
is '.upper[5] == 100000'
http 200 'chart?metric=page_views&detector=limit&back_ms=3600000&step_ms=300000'
is '(.expected | all(. == null)) and (.unsaid | test("says nothing")) and (.value | all(. > 0))'
http 200 'chart?metric=basket_p90&back_ms=3600000'
is '(.expected | all(. == null)) and .unsaid == "no detector watches basket_p90"'
is '.value | map(select(. != null)) | length > 20 and all(. > 0)'
http 200 'chart?metric=revenue&expected=0&points=10'
is '(has("expected") | not) and (.time_ms | length) <= 10'

# Today's figures are the sums of what a chart has since midnight.
http 200 overview
is '.metrics | map(.metric) == ["revenue", "orders", "conversion", "page_views", "basket", "basket_p90"]'
is '.metrics[0].spark | .step_ms == 900000 and (.value | length) == 96 and (.expected | all(. > 0))'
is '.metrics[] | select(.metric == "basket_p90") | .expected == null and .observed > 0'
is '.metrics | map(select(.metric == "revenue" or .metric == "conversion")) | all(.change | fabs < 0.5)'
is '(.from_ms / 3600000) % 24 == 22 and .through_ms > .from_ms'
cp "$E2E/out" "$E2E/overview"
from_ms=$(jq .from_ms "$E2E/overview")
last_ms=$(jq .through_ms "$E2E/overview")
for metric in revenue page_views; do
	http 200 "chart?metric=$metric&from_ms=$from_ms&to_ms=$last_ms&points=5000"
	jq -e --slurpfile overview "$E2E/overview" --arg metric "$metric" '($overview[0].metrics[] |
		select(.metric == $metric) | .observed) as $told | (.value | add) as $sum |
		.step_ms == 60000 and ($told - $sum | fabs) < 1e-6 * $sum' "$E2E/out" >"$E2E/null" ||
		fail "$metric is not the sum of its minutes"
done

# Notes and the calendar.
ctl annotate 'a price list' --metric 'rev*' --from "$((last_ms / 1000 - 7200))" \
	--until "$((last_ms / 1000 - 3600))" --author ann >"$E2E/null" 2>&1 || fail "annotate"
ctl annotate 'of others' --metric orders --from "$((last_ms / 1000 - 7200))" >"$E2E/null" 2>&1 || fail "annotate"
ctl calendar add 'fair' --slice country=FR --from "$((last_ms / 1000 - 7200))" --for 1h \
	--effect expect:+50% >"$E2E/null" 2>&1 || fail "calendar add"
noted() { http 200 'chart?metric=revenue&back_ms=14400000' && jq -e '.notes | length == 1' "$E2E/out" >"$E2E/null"; }
wait_for 60 'the note' noted
is '.notes[0] | .text == "a price list" and .author == "ann" and .until_ms - .from_ms == 3600000'
is '.calendar == []'
fair() {
	http 200 'chart?metric=revenue&slice=country%3DFR&back_ms=14400000' &&
		jq -e '.calendar | length == 1' "$E2E/out" >"$E2E/null"
}
wait_for 60 'the fair' fair
is '.calendar[0] | .name == "fair" and .effect == "expect:+50%" and .until_ms - .from_ms == 3600000'

# The engine as it is, one look a second; and for who listens.
http 200 pipeline
is 'has("at_ms") and (.status.socket | endswith("/weir.sock")) and (.stats | length) > 50'
is '(.detectors | map(select(.source == "shop")) | length) == 6 and (.producers | type) == "array"'
timeout 20 curl -sN --unix-socket "$E2E/console.sock" 'http://localhost/api/v1/events?topics=pipeline' \
	>"$E2E/events" 2>"$E2E/null" &
listener=$!
started "$listener"
heard() { [ "$(grep -c '^event: pipeline' "$E2E/events")" -ge 2 ]; }
wait_for 15 'the pipeline as an event' heard
stop_pid "$listener"
grep '^data: {"at_ms"' "$E2E/events" | head -n 1 | sed 's/^data: //' |
	jq -e '.status.epoch == 1' >"$E2E/null" || fail "$(head -c 300 "$E2E/events")"

# The engine goes: what it kept is there still, and what it would say of itself is not.
weird_stop
http 200 overview
cp "$E2E/out" "$E2E/overview"
http 200 'chart?metric=conversion&back_ms=3600000'
is '.detector == "conversion" and .unit == "share" and (.expected | all(. > 0)) and .interval_ms == 60000'
gone() { curl -sS -D "$E2E/head" --unix-socket "$E2E/console.sock" -o "$E2E/out" http://localhost/api/v1/pipeline &&
	grep -q '^HTTP/1.1 503' "$E2E/head"; }
wait_for 30 'the engine to be away' gone
grep -qi '^retry-after:' "$E2E/head" || fail "$(cat "$E2E/head")"

# A console that never saw it reads the configuration from its log.
console_stop
console_start --data "$E2E/data"
http 200 overview
is '.metrics | length == 6'
jq -e --slurpfile before "$E2E/overview" '[.metrics[].observed] == [$before[0].metrics[].observed]' \
	"$E2E/out" >"$E2E/null" || fail "other figures than before"

# What was expected is what the engine said when it was there: each minute of a day, to the digits
# that an answer has.
compared=0
same() { # DETECTOR METRIC SLICE
	"$WEIRCTL" replay "$E2E/data" --scores "$1" ${3:+--slice "$3"} >"$E2E/scores" || fail "replay of $1"
	http 200 "chart?metric=$2&detector=$1&slice=${3/=/%3D}&back_ms=72000000&points=5000"
	is '.step_ms == 60000 and (.time_ms | length) == 1200'
	jq -r '[.time_ms, .value, .expected, .lower, .upper, .severity] | transpose[] |
		select(all(. != null)) | @csv' "$E2E/out" >"$E2E/told"
	awk -F, -v least="${4:-1150}" 'function apart(a, b, size) { size = (b < 0) ? -b : b
			return (a - b > 1e-5 * size + 1e-9) || (b - a > 1e-5 * size + 1e-9) }
		NR == FNR { for (i = 2; i <= 5; i++) live[$1, i] = $i; live[$1, 6] = $8; next }
		{ for (i = 2; i <= 6; i++) if (!(($1 / 1000, i) in live) || apart($i, live[$1 / 1000, i])) {
			print $1, i, $i, live[$1 / 1000, i]; bad = 1 } n++ }
		END { exit bad || n < least }' "$E2E/scores" "$E2E/told" >"$E2E/apart" ||
		fail "$1 $3: $(wc -l <"$E2E/told") told, $(head -n 3 "$E2E/apart")"
	compared=$((compared + $(wc -l <"$E2E/told")))
}
same revenue revenue ''
same revenue revenue country=IT
same views page_views country=DE
same conversion conversion ''
same basket basket '' 900
same orders orders '' 600
proof console-chart-as-lived "$compared" 0

# A history that is damaged, or gone, is said to be.
console_stop
dd if=/dev/zero of="$E2E/data/history.db" bs=4096 count=1 conv=notrunc 2>"$E2E/null"
rm -f "$E2E/data/history.db-wal" "$E2E/data/history.db-shm"
console_start --data "$E2E/data"
for noun in overview series 'chart?metric=orders'; do
	http 503 "$noun"
	is '.error | test("damaged")'
done
mv "$E2E/data/history.db" "$E2E/data/history.other"
http 200 overview
is '.metrics == []'
http 404 'chart?metric=orders'
console_stop
pass
