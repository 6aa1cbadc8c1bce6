#!/usr/bin/env bash
# demo: what the README promises of it. Three seeds bring three different incidents, and the alert
# for each; the same traffic without an incident brings none; a usage error is one; what it
# started is gone afterwards.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq redis-server redis-cli
demo=$(dirname "$0")/../../tools/demo
export TMPDIR=$E2E

# run SECONDS OPTION...: one line of JSON in $said, its exit code in $code.
run() {
	local limit=$1
	shift
	said=$(timeout --kill-after=30 "$limit" "$demo" --headless "$@" 2>"$E2E/demo.log")
	code=$?
	if [ "$(wc -l <<<"$said")" -ne 1 ] || ! jq -e . <<<"$said" >/dev/null; then
		tail -n 20 "$E2E/demo.log" >&2
		fail "tools/demo --headless $* ended with $code and said: $said"
	fi
}

is() { jq -e "$1" <<<"$said" >/dev/null || fail "$1 does not hold of $said"; }

for seed in 1 2 3; do
	run 150 --seed "$seed"
	is ".seed == $seed"
	is '.events_attempted > 1000000'
	is '.events_attempted == .events_persisted + .events_rejected + .events_dropped'
	is '.planted == .top_contribution'
	is '.alert_intervals <= 3'
	is '.ok'
	expect "exit code of seed $seed" "$code" 0
	jq -r .planted <<<"$said" >>"$E2E/planted"
done
[ "$(sort -u "$E2E/planted" | wc -l)" -gt 1 ] || fail "three seeds planted the same"

run 150 --seed 1 --no-incident
is '.planted == null and .alerts == 0 and .ok'
is '.events_attempted == .events_persisted + .events_rejected + .events_dropped'
expect "exit code without an incident" "$code" 0

"$demo" --sed 5 >/dev/null 2>&1
expect "exit code of a wrong option" $? 2
expect "what is left behind" "$(find "$E2E" -maxdepth 1 -name 'weir-demo.*')" ""
pass
