#!/usr/bin/env bash
# rebase: a live source gets the past that it did not have, imported from a file; its detectors live
# through it, and know at once what is usual; what fires is resolved; a replay finds the same bit for
# bit, before and after a crash; a file that is lost is named.
# shellcheck disable=SC2119
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq python3

config_write <<'END'
interval: 1s
history: {base: 3h}
metrics:
  - {name: orders, event: purchase, by: [country]}
  - {name: revenue, event: purchase, agg: sum, field: value}
  - {name: visits, event: session_start}
detectors:
  - {metric: visits, kind: rule, down: 25%, frequency: 1d, versus: last_year}
  - {metric: orders, kind: window, window: 60, k: 4, severity: 10}
  - {metric: revenue, kind: window, window: 60, k: 4, severity: 10}
END

ends=(--socket "$E2E/weir.sock" --control "$E2E/control.sock")
firing() { ctl anomalies --json | jq -s -e 'any(.data.state != "resolved")' >/dev/null; }

# Nothing is known of it yet.
weird_start
"$WEIRCTL" rebase nobody --socket "$E2E/control.sock" 2>"$E2E/err"
expect "exit code of a rebase of nobody" $? 1
grep -q 'there is no such source' "$E2E/err" || fail "$(cat "$E2E/err")"

# Two hours of the past, up to a minute ago: some twenty orders a second of 10 each.
python3 - "$E2E/past.csv" <<'END'
import random, sys, time
random.seed(3)
now = int(time.time())
with open(sys.argv[1], 'w') as f:
    f.write('time,country,value\n')
    for second in range(now - 7200, now - 60):
        for _ in range(random.randrange(15, 26)):
            f.write('%d.%03d,%s,10\n' % (second, random.randrange(1000), random.choice(['DE', 'IT'])))
END
# And 430 days of visits by the hour, as sums: the intervals are not kept so long, hours and days are.
python3 - "$E2E/year.csv" <<'END'
import sys, time
hour = int(time.time()) // 3600 - 24
with open(sys.argv[1], 'w') as f:
    f.write('time,visits\n')
    for h in range(hour - 430 * 24, hour):
        f.write('%d,%d\n' % (h * 3600, 100 + h % 24))
END
timeout 60 "$WEIRCTL" import "$E2E/year.csv" --socket "$E2E/weir.sock" --event session_start \
	--aggregate count=visits --source live --clock wall >/dev/null || fail "import of the year"
timeout 60 "$WEIRCTL" import "$E2E/past.csv" "${ends[@]}" --event purchase --value value \
	--dimension country --source live --clock wall --rebase --json >"$E2E/out" 2>"$E2E/err" ||
	fail "import: $(cat "$E2E/out" "$E2E/err")"
head -n 1 "$E2E/out" | jq -e '.ok and .events > 100000' >/dev/null || fail "$(cat "$E2E/out")"
tail -n 1 "$E2E/out" | jq -e '.phase == "done" and .intervals > 7000 and .hours > 9000 and
	.damaged == 0' >/dev/null ||
	fail "$(cat "$E2E/out")"
grep -q 'rebase: live: [0-9]* intervals of history' "$WEIRD_LOG" || fail "the engine does not say so"

# The rule has lived through the days of a year and more.
ctl detectors list --json >"$E2E/out" || fail "detectors"
jq -s -e 'any(.metric == "visits" and .kind == "rule" and .learned > 400)' "$E2E/out" >/dev/null ||
	fail "the rule has not learned: $(cat "$E2E/out")"

# The history has what came late.
ctl history orders --since 3h --step 1h --json >"$E2E/out" || fail "history"
events=$(($(wc -l <"$E2E/past.csv") - 1))
jq -s -e --argjson n "$events" '[.. | .events? // empty] | add == $n' "$E2E/out" >/dev/null ||
	fail "the history does not have $events events: $(head -c 600 "$E2E/out")"

# The detectors have just begun, and know what is usual all the same: nothing at all is an anomaly.
wait_for 60 'an anomaly' firing
ctl anomalies --json >"$E2E/anomalies"
jq -s -e 'any(.data.metric == "orders" and .data.expected > 15 and .data.expected < 25)' \
	"$E2E/anomalies" >/dev/null || fail "not what was expected: $(head -n 3 "$E2E/anomalies")"

# Another one resolves what fires, and says for people what it lived through: the hours, and the day
# that the first of them is in, unless that begins with it.
ctl rebase >"$E2E/out" 2>"$E2E/err" || fail "rebase: $(cat "$E2E/out")"
says 'intervals of history, and \(1 day and \)\{0,1\}[0-9]* hours before them, as sums; in force from'
ctl rebase --json >"$E2E/out" || fail "rebase: $(cat "$E2E/out")"
is '.phase == "done" and .source == "live"'
ctl stat --json 'rebase*' | jq -es 'map({(.name): .value}) | add | .rebases_total == 3 and
	.rebases_failed_total == 0 and .rebase_intervals_total > 7000 and .rebase_stretches_total > 9000' \
	>/dev/null || fail "its numbers: $(ctl stat 'rebase*')"
resolved() { ctl anomalies --json | jq -s -e 'any(.data.state == "resolved")' >/dev/null; }
wait_for 60 'what fired to be resolved' resolved

# The history goes on behind it: what comes now, and what comes late.
total() { ctl history orders --since 60d --step 1d --json | jq -es '[.. | .events? // empty] | add'; }
has() { [ "$(total)" = "$1" ]; }
before=$(total) || fail "history"
"$WEIRCTL" emit purchase value=10 country=IT --socket "$E2E/weir.sock" >/dev/null || fail "emit"
wait_for 60 'the history to have an event behind the rebase' has $((before + 1))
printf 'time,country,value\n%d,DE,10\n' $(($(date +%s) - 86400)) >"$E2E/late.csv"
"$WEIRCTL" import "$E2E/late.csv" --socket "$E2E/weir.sock" --event purchase --value value \
	--dimension country --source live --clock wall >/dev/null || fail "import of a late event"
wait_for 60 'the history to have a late event behind the rebase' has $((before + 2))

# Bit for bit, also after a crash, and from a checkpoint.
weird_kill
weird_start
sleep 2
weird_stop
replayed
[ "$(find "$E2E/data/checkpoint" -name 'rebase-*.wreb' | wc -l)" -eq 2 ] || fail "two files"

# A state that is lost is named, and so is one that is another's.
file=$(find "$E2E/data/checkpoint" -name 'rebase-*.wreb' | sort | head -n 1)
mv "$file" "$E2E/kept"
"$WEIRCTL" replay "$E2E/data" --compare >"$E2E/out" 2>"$E2E/err" && fail "a replay without its state"
says 'cannot be read'
"$WEIRCTL" verify "$E2E/data" >"$E2E/out" 2>&1 || fail "verify"
says 'a replay must begin behind'
printf 'x' | dd of="$E2E/kept" bs=1 seek=200 conv=notrunc status=none
cp "$E2E/kept" "$file"
"$WEIRCTL" verify "$E2E/data" >"$E2E/out" 2>&1 && fail "verify takes a changed state"
says 'is not the one that the record speaks of'
pass
