#!/usr/bin/env bash
# history: what is imported can be read back, exactly, from every tier; with an engine and without
# one, after a crash, and after the history's file has been damaged.
# shellcheck disable=SC2119,SC2317
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq python3

config_write <<'END'
interval: 60s
lateness: {event: 0s}
checkpoint_intervals: 100
history: {base: 2d, minute: 2d}
metrics:
  - {name: orders, event: purchase, by: [country]}
  - {name: revenue, event: purchase, agg: sum, by: [country]}
  - {name: basket, event: purchase, agg: mean}
  - {name: biggest, event: purchase, agg: max}
  - {name: median, event: purchase, agg: p50}
  - {name: visits, event: session_start}
  - {name: conversion, ratio: orders / visits}
detectors: []
END

# Four days from the first of March 2021: in minute m, m % 7 purchases of m % 11 + 1, every third
# of a visitor from DE, and ten visits in all.
python3 - "$E2E/orders.csv" "$E2E/visits.csv" <<'END'
import sys
start = 1614556800
with open(sys.argv[1], "w") as orders, open(sys.argv[2], "w") as visits:
    orders.write("time,value,country\n")
    visits.write("time,n\n")
    for m in range(4 * 1440):
        for i in range(m % 7):
            orders.write(f"{start + m * 60 + i},{m % 11 + 1},{'DE' if m % 3 == 0 else 'FR'}\n")
        visits.write(f"{start + m * 60 + 30},10\n")
END
weird_start
"$WEIRCTL" import "$E2E/visits.csv" --socket "$E2E/weir.sock" --event session_start \
	--aggregate count=n --source visits --quiet >/dev/null || fail "visits"
"$WEIRCTL" import "$E2E/orders.csv" --socket "$E2E/weir.sock" --event purchase --value value \
	--dimension country --quiet >"$E2E/out" || fail "import: $(cat "$E2E/out")"

# kept: both recordings are closed to their end, and every close is in the history.
kept() {
	ctl status --json | jq -e '[.sources[] | select(.name != "live") | .closed_through_ms] |
		length == 2 and all(. >= 1614902400000)' >/dev/null || return 1
	ctl stat --json | jq -es '[.[] | select(.labels == {}) | {(.name): .value}] | add |
		.history_closes_total == .closes_total' >/dev/null
}
wait_for 60 'the history to have every close' kept

# points JQ METRIC [OPTION...]: of the answer.
points() {
	local jq=$1
	shift
	ctl history "$@" --json >"$E2E/answer" || fail "history $*"
	jq -r "$jq" "$E2E/answer"
}

# wanted STEP_MINUTES EXPRESSION: what Python makes of the recipe; e: the purchases of a step.
wanted() {
	python3 - "$@" <<'END'
import sys
step, expression = int(sys.argv[1]), sys.argv[2]
last = 4 * 1440 - 1           # the last purchases are of minute 5759: 5 of them
for first in range(0, last + 1, step):
    e = [(m % 11 + 1, m % 3 == 0) for m in range(first, first + step) for _ in range(m % 7)]
    print(eval(expression))
END
}

# exactly WHAT STEP_MINUTES EXPRESSION JQ METRIC [OPTION...]
exactly() {
	local what=$1 step=$2 expression=$3
	shift 3
	points "$@" --since 2021-03-01 --until 2021-03-05 --source import >"$E2E/found"
	wanted "$step" "$expression" >"$E2E/wanted"
	cmp "$E2E/found" "$E2E/wanted" ||
		fail "$what: $(diff "$E2E/found" "$E2E/wanted" | head -5) in $(head -c 300 "$E2E/answer")"
}

all_exact() {
	exactly "days" 1440 'len(e)' '.points[].value' orders --step 1d
	exactly "days of DE" 1440 'sum(1 for v, de in e if de)' '.points[].value' orders \
		--step 1d --slice country=DE
	exactly "hours" 60 'len(e)' '.points[].value' orders --step 1h
	exactly "two hours" 120 'sum(v for v, _ in e)' '.points[].value' revenue --step 2h
	exactly "hours, the greatest" 60 'max(v for v, _ in e)' '.points[].value' biggest --step 1h
	exactly "hours, how many events" 60 'len(e)' '.points[].events' basket --step 1h
	exactly "hours, the mean" 60 'round(sum(v for v, _ in e) / len(e) * 1e6)' \
		'.points[].value * 1e6 | round' basket --step 1h
	exactly "days, the median" 1440 'int(abs(sorted(v for v, _ in e)[(len(e) - 1) // 2] - 6) < .1)' \
		'.points[].value - 6 | if . < .1 and . > -.1 then 1 else 0 end' median --step 1d
	# Two days are kept minute by minute: at that step, two hours of yesterday.
	points '.tier, (.points | length), ([.points[].value] | add)' orders --step 1m \
		--since 2021-03-04T10:00 --until 2021-03-04T12:00 >"$E2E/found"
	python3 -c 'print("base", 120, sum(m % 7 for m in range(4920, 5040)), sep="\n")' >"$E2E/wanted"
	cmp "$E2E/found" "$E2E/wanted" || fail "minutes: $(cat "$E2E/found")"
	# What is not kept so finely any more comes from the hours.
	expect "the step where minutes are gone" \
		"$(points '.tier, .step_ms' orders --step 1m --since 2021-03-01 --until 2021-03-02 |
			tr '\n' ' ')" "hour 3600000 "
}
all_exact

# Before what is known there is nothing, which is not zero; without orders there were none.
expect "the day before" \
	"$(points '.points[0].value, .points[0].closed' orders --step 1d --since 2021-02-28 \
		--until 2021-03-01 --source import | tr '\n' ' ')" "null 0 "
expect "a minute without orders" \
	"$(points '.points[0].value, .points[0].closed' orders --step 1m --since 2021-03-04T00:06 \
		--until 2021-03-04T00:07 | tr '\n' ' ')" "0 1 "
expect "visits, as sums" "$(points '[.points[].value] | add' visits --step 1d --source visits \
	--since 2021-03-01 --until 2021-03-05)" 57600
# Weeks begin on Monday, as those of detectors do.
ctl history visits --source visits --step 7d --since 2021-03-01 --until 2021-03-05 --csv >"$E2E/out" || fail "weeks"
expect "a week" "$(sed 1d "$E2E/out" | cut -d , -f 1,2)" 2021-03-01T00:00:00.000Z,57600

# Forms, lists and refusals.
third=$(wanted 1440 'len(e)' | sed -n 3p)
ctl history orders --step 1d --since 7d --csv >"$E2E/out" || fail "csv"
grep -q "^2021-03-03T00:00:00.000Z,$third,$third,1440,0\$" "$E2E/out" || fail "csv: $(cat "$E2E/out")"
ctl history orders --step 1d --since 7d >"$E2E/out" || fail "table"
grep -q "^2021-03-03T00:00:00  *$third  *█" "$E2E/out" || fail "table: $(cat "$E2E/out")"
ctl history >"$E2E/out" || fail "metrics"
grep -q '^conversion  *ratio ' "$E2E/out" || fail "metrics: $(cat "$E2E/out")"
ctl history orders --slices >"$E2E/out" || fail "slices"
grep -q '^import  *country=FR$' "$E2E/out" || fail "slices: $(cat "$E2E/out")"
for wrong in "ordres" "orders --slice country=XX" "ordres --slices"; do
	# shellcheck disable=SC2086
	ctl history $wrong >"$E2E/out" 2>"$E2E/err"
	expect "exit code of $wrong" $? 1
	# shellcheck disable=SC2086
	"$WEIRCTL" history --directory "$E2E/data" $wrong >"$E2E/out" 2>"$E2E/err"
	expect "exit code of $wrong in a directory" $? 1
	grep -q 'nothing is known of' "$E2E/err" || fail "it says $(cat "$E2E/err")"
done
ctl history orders --since 2021-03-05 --until 2021-03-01 >/dev/null 2>&1
expect "exit code of an end before the beginning" $? 2
for wrong in --since --step; do
	ctl history orders $wrong 1y >"$E2E/out" 2>"$E2E/err"
	expect "exit code of $wrong 1y" $? 2
	grep -q 'ms, s, m, h or d' "$E2E/err" || fail "units are not named: $(cat "$E2E/err")"
done
(ctl history ordres 2>&1 || :) | grep -q 'there are basket, biggest' || fail "what there is, is not said"
ctl history orders --since yesterday >/dev/null 2>&1
expect "exit code of --since yesterday" $? 2

# A late order is corrected into every tier, with the next interval that is closed; here the last
# row's, which is much later.
printf 'time,value,country\n2021-03-02T05:30:00Z,1000,DE\n2021-03-05T12:00:00Z,1,FR\n' >"$E2E/late.csv"
"$WEIRCTL" import "$E2E/late.csv" --socket "$E2E/weir.sock" --event purchase --value value \
	--dimension country --quiet >/dev/null || fail "late import"
corrected() {
	[ "$(points '.points[0].value' biggest --step 1h --since 2021-03-02T05:00 \
		--until 2021-03-02T06:00)" = 1000 ]
}
wait_for 60 'the correction of an hour' corrected
expect "the day that was corrected" \
	"$(points '.points[0].value' orders --step 1d --since 2021-03-02 --until 2021-03-03)" \
	$(($(wanted 1440 'len(e)' | sed -n 2p) + 1))
expect "its slice" "$(points '.points[0].value' revenue --step 1d --slice country=DE \
	--since 2021-03-02 --until 2021-03-03)" "$(wanted 1440 \
	'sum(v for v, de in e if de) + 1000' | sed -n 2p)"

# Also the last row's own interval, which the end of the import closes.
ended() { [ "$(points '.points[-1].time_ms' orders --since 4d --step 1h)" = 1614945600000 ]; }
wait_for 60 'the end of the import' ended
before=$(ctl history orders --since 4d --step 1h --json)

# The same after a crash, and without an engine.
weird_kill
expect "the directory alone" \
	"$("$WEIRCTL" history orders --since 4d --step 1h --json --directory "$E2E/data")" "$before"
weird_start
wait_for 60 'the history to have every close' kept
expect "after a crash" "$(ctl history orders --since 4d --step 1h --json)" "$before"
weird_stop

# A file that is damaged is moved aside, said, and rebuilt from the log; so is one that is gone.
printf 'no database at all' >"$E2E/data/history.db"
weird_start
grep -q 'history.db.damaged-1' "$WEIRD_LOG" || fail "nothing said of the damage"
[ -e "$E2E/data/history.db.damaged-1" ] || fail "it has not been kept"
wait_for 60 'the history to have every close' kept
expect "rebuilt from the log" "$(ctl history orders --since 4d --step 1h --json)" "$before"
weird_stop
rm "$E2E/data/history.db"
weird_start
wait_for 60 'the history to have every close' kept
expect "rebuilt again" "$(ctl history orders --since 4d --step 1h --json)" "$before"
weird_stop
pass
