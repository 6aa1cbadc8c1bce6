#!/usr/bin/env bash
# detectors: an operator looks what a draft would have found, switches it on, sees what differs from
# the file, and takes it back; all of it outlives kill -9, a reload and a replay, and what was found
# is found again from the history.
# shellcheck disable=SC2119,SC2317
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq python3

config() {
	config_write <<END
interval: 60s
lateness: {event: 0s}
checkpoint_intervals: 100
metrics:
  - {name: orders, event: purchase, by: [country]}
  - {name: revenue, event: purchase, agg: sum}
detectors:
  # Für alle Länder.
  - name: ${2:-orders}
    metric: orders
    severity: ${1:-40}   # loud
  - {name: revenue, metric: revenue}
history: {base: 35d}
END
}
config

# Two days of purchases; of Italy's, in the 30th hour, nine tenths are missing for half an hour.
python3 - "$E2E/orders.csv" <<'END'
import random, sys
random.seed(5)
start = 1614556800
with open(sys.argv[1], "w") as orders:
    orders.write("time,value,country\n")
    for m in range(2 * 1440):
        broken = 30 * 60 <= m < 30 * 60 + 30
        for i in range(24 + random.randrange(8)):
            country = "DE" if i % 3 == 0 else "IT"
            if country == "IT" and broken and random.random() < 0.9:
                continue
            orders.write(f"{start + m * 60 + i},{1 + i % 5},{country}\n")
END
weird_start
"$WEIRCTL" import "$E2E/orders.csv" --socket "$E2E/weir.sock" --event purchase --value value \
	--dimension country --quiet >"$E2E/out" || fail "import: $(cat "$E2E/out")"
kept() {
	ctl status --json | jq -e '[.sources[] | select(.name == "import") | .closed_through_ms] |
		length == 1 and all(. >= 1614729600000)' >/dev/null || return 1
	ctl stat --json | jq -es '[.[] | select(.labels == {}) | {(.name): .value}] | add |
		.history_closes_total == .closes_total' >/dev/null
}
wait_for 60 'the history to have every close' kept

# back JQ [OPTION...]: of a backtest's answer, while the engine runs.
back() {
	local jq=$1
	shift
	ctl backtest --since 2021-01-01 --source import --json "$@" >"$E2E/answer" 2>"$E2E/said" ||
		fail "backtest $*: $(cat "$E2E/said")"
	jq -r "$jq" "$E2E/answer"
}
again='[(.live | length > 0), .only_live, .only_found, ([.live, .found] | map(map(del(.feedback))) |
	.[0] == .[1]), .sources[0].whole, .sources[0].tier] | join(" ")'
expect 'what was found, found again' "$(back "$again")" 'true 0 0 true true base'
ctl backtest "$E2E/data" --since 2021-01-01 --all >"$E2E/out" || fail 'backtest of a directory'
grep -q '^The detectors that were in force' "$E2E/out" || fail "it says: $(cat "$E2E/out")"
grep -q 'import/orders\[country=IT\]' "$E2E/out" || fail "nothing of Italy: $(cat "$E2E/out")"

# A draft that hears less, and one that is none.
printf 'name: orders\nmetric: orders\nseverity: 40\nmin_delta: 1000\n' >"$E2E/deaf.yaml"
expect 'a deaf draft' "$(back '[.found, .against[0], (.live | length > 0), (.only_live == (.live | length))] |
	map(tostring) | join(" ")' --detector "$E2E/deaf.yaml")" '[] orders true true'
printf 'name: orders\nmetric: orders\nloudness: 4\n' >"$E2E/wrong.yaml"
code 1 "$WEIRCTL" backtest "$E2E/data" --detector "$E2E/wrong.yaml"
says 'wrong.yaml:3:1: unknown key "loudness"'

# detectors CODE ACTION [...]
detectors() {
	local wanted=$1
	shift
	code "$wanted" "$WEIRCTL" detectors "$@" --socket "$E2E/control.sock"
}
# What is in force of the detector orders.
severity() { ctl detectors list --json | jq -r 'select(.name == "orders") | "\(.spec.severity) \(.spec.min_delta)"' | sort -u; }
in_force() { [ "$(severity)" = "$1" ]; }
detectors 0 diff
says 'nothing differs'
detectors 0 set orders severity=60 --author ann --note 'too loud'
says 'detectors.orders.severity: 40 -> 60'
detectors 0 set "$E2E/deaf.yaml" --author bob --rebase
says 'import: its detectors have lived through 2880 intervals'
wait_for 60 'the draft to be in force' in_force '40 1000'
detectors 1 diff
says 'detectors.orders.min_delta: 0 -> 1000'
detectors 1 set orders severity=600
says 'detectors\[0\].severity'
detectors 1 set none severity=60
detectors 2 set orders loudness=60
detectors 1 undo 99
ctl config show | grep -q 'min_delta: "1000"' || fail 'the configuration in force does not have it'

# It outlives kill -9, and a reload of another file.
weird_kill
weird_start
expect 'after kill -9' "$(severity)" '40 1000'
config 50
code 0 "$WEIRCTL" reload --socket "$E2E/control.sock"
says '2 overrides of detectors kept'
expect 'after a reload' "$(severity)" '40 1000'
# One that does not fit the file is not said to be kept.
config 50 renamed
code 0 "$WEIRCTL" reload --socket "$E2E/control.sock"
says 'override 1 does not fit the file and is left out: there is no detector "orders"'
says '1 override of detectors kept'
config 50
code 0 "$WEIRCTL" reload --socket "$E2E/control.sock"
says '2 overrides of detectors kept'
detectors 0 undo --author cleo
wait_for 60 'the draft to be undone' in_force '60 0'
detectors 0 undo 1
wait_for 60 'the file to be in force' in_force '50 0'
detectors 1 undo
detectors 0 diff
detectors 0 history
expect 'the history of all that' "$(awk '{ print $1, $3 }' "$E2E/out" | tr '\n' ';')" "4 $(id -un);3 cleo;2 bob;1 ann;"
says 'orders: severity=60 (undone)  too loud'
detectors 2 undo x

weird_stop
code 0 "$WEIRCTL" replay "$E2E/data" --compare
expect 'found again without an engine' \
	"$("$WEIRCTL" backtest "$E2E/data" --since 2021-01-01 --source import --json | jq -r "$again")" \
	'true 0 0 true true base'
proof detectors-overridden 6 0
pass
