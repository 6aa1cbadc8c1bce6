#!/usr/bin/env bash
# weir-bench compare: every system that is installed is driven, has kept all that was sent, and its
# ratio is weir's rate over its own; babeltrace2 finds as many events in LTTng's trace; what is not
# installed is absent, and nothing is left behind. How fast anything is, is no test's business.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3 jq

bench=$WEIR_BUILD/bench/weir-bench
chmod 711 "$E2E" # LTTng runs as nobody, if this is root

compare() {
	timeout 120 "$bench" compare --dir "$E2E" --weird "$WEIRD" --json "$@" >"$E2E/out" 2>"$E2E/said"
}
compare --quick --svg "$E2E/chart.svg"
code=$?
if [ "$code" -eq 3 ] && grep -qE 'tmpfs|O_DIRECT|are needed' "$E2E/said"; then
	skip "$(cat "$E2E/said")"
fi
expect 'exit status' "$code" 0
absent=$(jq -r 'select(.absent) | "\(.name): \(.absent)"' "$E2E/out")
command -v redis-server >/dev/null && [[ $absent == *redis* ]] && fail "$absent"
command -v lttng-sessiond >/dev/null && [ -x "$WEIR_BUILD/bench/weir-bench-lttng" ] &&
	[[ $absent == *lttng* ]] && fail "$absent"
python3 - "$E2E/out" <<'PYTHON' || fail "figures: $(cat "$E2E/out")"
import json, sys
figures = {f["name"]: f for f in map(json.loads, open(sys.argv[1])) if "value" in f}
systems = "lttng redis_100 redis_1000 redis_memory statsd statsd_packed fwrite ck_ring"
assert set(figures) == {"compare." + name for name in ["weir"] + systems.split()}
weir = figures.pop("compare.weir")
assert weir["lossless"] is True and weir["value"] > 0
assert all("absent" not in figures["compare." + name] for name in systems.split()[4:])
for f in figures.values():
    if "absent" not in f:
        assert f["lossless"] is True and f["runs"] == 1 and f["limit"] == weir["value"]
        assert abs(f["ratio"] - f["limit"] / f["value"]) < 0.001 * f["ratio"]
PYTHON

expect 'bars of the chart' "$(grep -c '<rect class="\(bar\|ours\)"' "$E2E/chart.svg")" \
	"$(jq -r 'select(.value) | .name' "$E2E/out" | wc -l)"
mkdir "$E2E/bin" && ln -s "$(command -v rm)" "$E2E/bin"
PATH=$E2E/bin "$bench" compare --dir "$E2E" --weird "$WEIRD" --only redis_100,lttng --quick \
	>"$E2E/out" 2>"$E2E/said"
expect 'exit status without the others' $? 0
for name in redis_100 lttng; do
	grep -q "^compare.$name  *absent: .*apt-get install" "$E2E/out" || fail "$(cat "$E2E/out")"
done
compare --only redis,fwrite
expect 'exit status for a system that nobody knows' $? 2
expect 'directories left behind' "$(find "$E2E" -name 'weir-*-*' | wc -l)" 0

if [[ $absent != *lttng* ]] && command -v babeltrace2 >/dev/null; then
	compare --only lttng --runs 1 --seconds 0.1 --series 1000 --keep
	expect 'exit status of LTTng' $? 0
	kept=$(sed -n 's/.*what lttng wrote is in //p' "$E2E/said")
	expect "events in LTTng's trace" "$(babeltrace2 "$kept/trace" | wc -l)" \
		"$(cut -d ' ' -f 1 "$kept/emit.log")"
fi
# The letter in brackets keeps grep from finding itself.
expect 'processes left behind' "$(grep -sl "${E2E##*/}/[w]eir-compare" /proc/[0-9]*/cmdline | wc -l)" 0
pass
