#!/usr/bin/env bash
# demo: what the README promises of it. Three seeds bring three different incidents, and the alert
# for each; the same traffic without an incident brings none; a usage error is one; what it
# started is gone afterwards.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq redis-server redis-cli
demo=$(dirname "$0")/../../tools/demo
export TMPDIR=$E2E

# run WHERE OPTION...: one line of JSON in WHERE.json, its exit code in WHERE.code.
run() {
	local where=$E2E/$1 code
	shift
	timeout --kill-after=30 600 "$demo" --headless "$@" >"$where.json" 2>"$where.log"
	code=$?
	echo "$code" >"$where.code"
	if [ "$(wc -l <"$where.json")" -ne 1 ] || ! jq -e . "$where.json" >/dev/null; then
		tail -n 20 "$where.log" >&2
		fail "tools/demo --headless $* ended with $code and said: $(cat "$where.json")"
	fi
}

# holds NAME EXPRESSION...: of what that run said; and it ended well.
holds() {
	local name=$1 expression
	shift
	for expression in "$@" .ok \
		'.events_attempted > 1000000' \
		'.events_attempted == .events_persisted + .events_rejected + .events_dropped'; do
		jq -e "$expression" "$E2E/$name.json" >/dev/null ||
			fail "$name: $expression does not hold of $(cat "$E2E/$name.json")"
	done
	expect "exit code of $name" "$(cat "$E2E/$name.code")" 0
}

# The first as it is shown, a minute in each second; the others beside it, in seconds.
run seed-1 --seed 1 &
shown=$!
started "$shown"
run seed-2 --seed 2 --speed 900
run seed-3 --seed 3 --speed 900
run calm --seed 1 --no-incident --speed 900
wait "$shown" || fail "the demo as it is shown went wrong"
for seed in 1 2 3; do
	holds "seed-$seed" ".seed == $seed" '.planted == .top_contribution' '.alert_intervals <= 3'
done
[ "$(jq -r .planted "$E2E"/seed-?.json | sort -u | wc -l)" -gt 1 ] || fail "three seeds planted the same"
holds calm '.planted == null and .alerts == 0'

"$demo" --sed 5 >/dev/null 2>&1
expect "exit code of a wrong option" $? 2
expect "what is left behind" "$(find "$E2E" -maxdepth 1 -name 'weir-demo.*')" ""
pass
