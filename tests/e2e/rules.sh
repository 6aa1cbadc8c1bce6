#!/usr/bin/env bash
# rules: the marketers' sheet over 400 days. weir-shop --sheet breaks each of the sixteen rules once
# and stays just below each once; rules.awk works out from the daily figures in the log, without
# weir, when a rule is broken. Each rule fires once there, with these figures, and is silent
# elsewhere: 32 assertions. The same from an export of daily figures, imported into an engine of its
# own. A replay of each log says the same.
# shellcheck disable=SC2119,SC2317
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq awk
here=$(cd "$(dirname "$0")" && pwd)
WEEKLY=' nonbranded-search-down revenue-down growth-falls '

# The preset, and what it mentions without using it.
{
	grep -v '^data_directory:\|^socket:\|^control_socket:\|^environment:' \
		"$here/../../tools/presets/marketing-rules.yaml"
	echo '  - {name: growth-falls, metric: visits, kind: rule, growth_drop: 13, frequency: 7d}'
	echo '  - {name: too-many-bounces, metric: bounce_rate, kind: rule, above: 0.6, frequency: 1d}'
} | config_write

# finish SOURCE: wait for its end, stop, and leave what fired in $E2E/firings.
finish() {
	wait_for 120 "the last day to be closed" closed "$1" "$last_ms"
	weird_stop
	"$WEIRCTL" anomalies "$E2E/data" --revisions --limit 1000000 --json |
		jq -r '.data | select(.state == "firing") | [.detector, .slice,
			(.interval_start | sub("\\.[0-9]+"; "") | fromdateiso8601), .observed, .expected] | @csv' |
		tr -d '"' >"$E2E/firings"
	"$WEIRCTL" replay "$E2E/data" --compare >"$E2E/compare" 2>&1 ||
		fail "the replay differs: $(tail -n 5 "$E2E/compare")"
	"$WEIRCTL" verify "$E2E/data" --json >"$E2E/verify" || fail "verify: $(cat "$E2E/verify")"
}

# period RULE SECONDS: its number, from the first day on.
period() {
	local length=86400
	[[ $WEEKLY != *" $1 "* ]] || length=604800
	echo $((($2 - first) / length))
}

# planted RULE true|false: the first and the last period of what was planted for it.
planted() {
	local from to
	read -r from to < <(jq -r --arg rule "$1" --argjson fires "$2" '.planted[] |
		select(.rule == $rule and .fires == $fires) | "\(.from_ms / 1000) \(.to_ms / 1000 - 1)"' "$E2E/truth")
	echo "$(period "$1" "$from") $(period "$1" "$to")"
}

# holds TEXT CONDITION RULE
holds() {
	if "$2" "$3"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $1; its firings: $(firings_of "$3" | tr '\n' ' ')"
	fi
}

# The rule is broken, says rules.awk, from the first planted period to the last, and at no other
# time; at the other change it is less than three points away.
figures_are_as_planted() {
	local from to near_from near_to
	read -r from to < <(planted "$1" true)
	read -r near_from near_to < <(planted "$1" false)
	awk -F, -v rule="$1" -v from="$from" -v to="$to" -v near_from="$near_from" -v near_to="$near_to" '
		$1 != rule { next }
		{ inside = $2 >= from && $2 <= to }
		($5 >= 0) != inside { bad = 1 }
		inside { broken++ }
		$2 >= near_from && $2 <= near_to && $5 < 0 && $5 > -3 { near++ }
		END { exit bad || broken != to - from + 1 || near != near_to - near_from + 1 }' "$E2E/figures"
}

# Firings of a rule, with the period of each.
firings_of() {
	local rule slice at observed expected
	while IFS=, read -r rule slice at observed expected; do
		[ "$rule" != "$1" ] || echo "$(period "$1" "$at"),$slice,$observed,$expected"
	done <"$E2E/firings"
}

# One firing in the planted periods: in the first, of the whole, by as much as rules.awk says.
fires_once_there() {
	local from to percent
	read -r from to < <(planted "$1" true)
	percent=$(awk -F, -v rule="$1" -v at="$from" '$1 == rule && $2 == at { print $4 }' "$E2E/figures")
	firings_of "$1" | awk -F, -v from="$from" -v to="$to" -v percent="$percent" '
		$1 < from || $1 > to { next }
		{ fired++; change = 100 * ($3 / $4 - 1); right = $1 == from && $2 == "" &&
			change - percent < 0.01 && percent - change < 0.01 }
		END { exit !(fired == 1 && right) }'
}

is_silent_elsewhere() {
	local from to
	read -r from to < <(planted "$1" true)
	firings_of "$1" | awk -F, -v from="$from" -v to="$to" '$1 < from || $1 > to { bad = 1 } END { exit bad }'
}

# The 32 assertions, and the two rules that the preset only mentions.
check_sheet() {
	local rule failed=0 passed=0
	for rule in $rules; do
		holds "$rule fires once where it is broken" fires_once_there "$rule"
		holds "$rule is silent elsewhere" is_silent_elsewhere "$rule"
	done
	echo "$1: $passed of 32 assertions hold"
	[ "$failed" -eq 0 ] || fail "$1: $failed of the sheet's assertions"
	# Visits of a week grow by 0, then -16 % against the year before: sixteen points less.
	expect "growth falls in week" "$(firings_of growth-falls | cut -d, -f1)" 53
	expect "too many bounces on day" "$(firings_of too-many-bounces | cut -d, -f1)" \
		"$(planted bounce-rate-up true | cut -d' ' -f1)"
}

weird_start
timeout 120 "$WEIR_SHOP" --socket "$E2E/weir.sock" --sheet --truth "$E2E/truth" --json >"$E2E/said" ||
	fail "weir-shop --sheet ended with $?: $(tail -c 300 "$E2E/said")"
jq -e '.events_attempted == .events_persisted and .events_attempted > 5000000' "$E2E/said" >/dev/null ||
	fail "not all went in: $(tail -c 300 "$E2E/said")"
first=$(jq '.first_ms / 1000' "$E2E/truth")
last_ms=$(jq .last_ms "$E2E/truth")
finish shop

"$WEIRCTL" dump "$E2E/data" --sum event,channel,day --csv >"$E2E/days.csv"
sort -t, -k3,3 "$E2E/days.csv" | awk -F, -f "$here/rules.awk" >"$E2E/figures"
rules=$(jq -r '.planted[].rule' "$E2E/truth" | sort -u)
expect "number of rules" "$(wc -l <<<"$rules")" 16
expect "rules worked out" "$(cut -d, -f1 "$E2E/figures" | sort -u)" "$rules"
for rule in $rules; do
	figures_are_as_planted "$rule" || fail "the figures of $rule are not as planted: $(
		awk -F, -v rule="$rule" '$1 == rule && $5 > -3' "$E2E/figures")"
done
check_sheet "from events"

# What a marketer has: a row for each day and channel.
rm -rf "$E2E/data"
weird_start
"$WEIRCTL" import "$E2E/days.csv" --socket "$E2E/weir.sock" --quiet --time day --dimension channel \
	--event-column event --aggregate count=count,sum=sum >"$E2E/said" 2>&1 ||
	fail "weirctl import: $(cat "$E2E/said")"
last_ms=$((last_ms - 23 * 3600000)) # its last event is at the last day's beginning
finish import
check_sheet "from daily figures"
pass
