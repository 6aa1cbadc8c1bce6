#!/usr/bin/env bash
# weir-bench ingest, cases of one's own: two producers on two lanes, at a rate, and without a log: the
# figures are there, nothing is lost, nothing is left behind. And it refuses to call memory durable.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3 findmnt

bench=$WEIR_BUILD/bench/weir-bench

# ask OPTION...: figures into $E2E/figures.
ask() {
	"$bench" ingest --json --dir "$E2E" --weird "$WEIRD" --seconds 1 --runs 1 --series 2000 \
		--ring 16384 --limit-mib 64 "$@" >"$E2E/figures" 2>"$E2E/said"
}

ask --producers 2 --lanes 2
code=$?
if [ "$code" -eq 3 ] && grep -qE 'tmpfs|O_DIRECT|are needed' "$E2E/said"; then
	skip "$(cat "$E2E/said")"
fi
expect 'exit status' "$code" 0
python3 - "$E2E/figures" <<'PYTHON' || fail "figures: $(cat "$E2E/figures")"
import json, sys
figures = {f["name"]: f for f in map(json.loads, open(sys.argv[1])) if "value" in f}
assert all(f["lossless"] is True and f["runs"] == 1 for f in figures.values())
assert all(f["min"] <= f["value"] <= f["max"] for f in figures.values())
events, size = figures["ingest.events"], figures["ingest.bytes"]
assert events["value"] > 0 and events["unit"] == "events/s"
assert 16 <= size["value"] / events["value"] <= 64, "bytes of an event in the log"
assert abs(size["ratio"] - size["value"] / size["limit"]) < 0.01
assert events["limit"] > 0 and ("void" in events or events["ratio"] > 0), "the bare lane's"
assert figures["ingest.cores"]["value"] > 0
assert 0 < figures["ingest.p50"]["value"] <= figures["ingest.p99"]["value"]
PYTHON
expect 'directories left behind' "$(find "$E2E" -name 'weir-bench-*' | wc -l)" 0

# At a rate, each block synced: that rate, or no figures where the disk is too slow, and nothing is lost.
# `none` claims nothing.
ask --paced 200000 --durability block
expect 'exit status of --paced' $? 0
python3 - "$E2E/figures" <<'PYTHON' || fail "figures: $(cat "$E2E/figures")"
import json, sys
figures = {f["name"]: f for f in map(json.loads, open(sys.argv[1])) if "value" in f}
events, delay = figures["ingest.events"], figures["ingest.p50"]
if "absent" not in events:
	assert 0 < events["value"] < 220e3, "the rate"
	assert events["lossless"] is True and delay["value"] > 0
PYTHON
ask --no-log --producers 3
expect 'exit status of --no-log' $? 0
python3 - "$E2E/figures" <<'PYTHON' || fail "figures: $(cat "$E2E/figures")"
import json, sys
figures = {f["name"]: f for f in map(json.loads, open(sys.argv[1])) if "value" in f}
assert figures["ingest.events"]["value"] > 0
assert figures["ingest.events"]["lossless"] is None, "nothing is kept, nothing is claimed"
assert "ingest.p50" not in figures, "nothing becomes durable"
PYTHON
ask --only durable
expect 'exit status of --only beside a case of its own' $? 2
"$bench" ingest --only tomorrow >"$E2E/out" 2>"$E2E/said"
expect 'exit status of --only with no such case' $? 2
grep -q 'latency.block' "$E2E/said" || fail "which cases there are: $(cat "$E2E/said")"
"$bench" ingest --only '' >"$E2E/out" 2>"$E2E/said"
expect 'exit status of --only without a case' $? 2

if [ "$(findmnt -n -o FSTYPE --target /dev/shm)" = tmpfs ]; then
	"$bench" ingest --dir /dev/shm --weird "$WEIRD" >"$E2E/out" 2>"$E2E/said"
	expect 'exit status on tmpfs' $? 3
	grep -q -- '--dir' "$E2E/said" || fail "tmpfs: $(cat "$E2E/said")"
fi
pass
