#!/usr/bin/env bash
# config: what an operator sees of it. Every preset is accepted; what is wrong is named with its
# place and ends with 78; an engine does not start on it.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"

# refused TEXT MESSAGE: a file with this content, and how its message ends.
refused() {
	local said code
	printf '%s\n' "$1" >"$E2E/bad.yaml"
	said=$("$WEIRD" --check-config --config "$E2E/bad.yaml" 2>&1)
	code=$?
	expect "exit code of $1" "$code" 78
	expect "lines about $1" "$(wc -l <<<"$said")" 1
	[[ $said == *"bad.yaml:$2" ]] || fail "\"$1\" was refused with: $said"
}

for preset in "$(dirname "$0")"/../../tools/presets/*.yaml; do
	"$WEIRD" --check-config --config "$preset" >"$E2E/out" 2>&1 ||
		fail "$preset: $(cat "$E2E/out")"
done
refused 'interval: 10s
intervall: 5s' '2:1: unknown key "intervall"; correct or remove it'
refused 'metrics: [{name: orders' \
	"2:1: did not find expected ',' or '}', while parsing a flow mapping"
refused 'metrics: [{name: orders, event: purchase}]
detectors: [{metric: orders}, {metric: order}]' \
	' detectors[1].metric: there is no metric "order"; use one of orders'
refused 'interval: 1 fortnight' \
	' interval: "1 fortnight" is not a duration, as 500ms, 10s, 5m, 1h or 1d; correct it'

said=$("$WEIRD" --check-config --config "$E2E/none.yaml" 2>&1)
expect "exit code without a file" $? 78
[[ $said == *"No such file"* ]] || fail "without a file it said: $said"
timeout 90 "$WEIRD" --config "$E2E/bad.yaml" >/dev/null 2>&1
expect "exit code of an engine on a bad file" $? 78
"$WEIRD" --no-such-option >/dev/null 2>&1
expect "exit code of a wrong option" $? 2
pass
