#!/usr/bin/env bash
# A second of weir-bench ingest with two producers on two lanes: every figure is there, nothing is
# lost, nothing is left behind. And it refuses to call memory durable.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3 findmnt

bench=$WEIR_BUILD/bench/weir-bench

"$bench" ingest --json --dir "$E2E" --weird "$WEIRD" --seconds 1 --runs 1 --series 2000 \
	--ring 16384 --limit-mib 64 --producers 2 --lanes 2 >"$E2E/figures" 2>"$E2E/said"
code=$?
if [ "$code" -eq 2 ] && grep -qE 'tmpfs|O_DIRECT|are needed' "$E2E/said"; then
	skip "$(cat "$E2E/said")"
fi
expect 'exit status' "$code" 0
python3 - "$E2E/figures" <<'PYTHON' || fail "figures: $(cat "$E2E/figures")"
import json, sys
figures = {f["name"]: f for f in map(json.loads, open(sys.argv[1])) if "value" in f}
assert all(f["lossless"] is True and f["runs"] == 1 for f in figures.values())
assert all(f["min"] <= f["value"] <= f["max"] for f in figures.values())
events, size = figures["ingest.durable"], figures["ingest.bytes"]
assert events["value"] > 0 and events["unit"] == "events/s"
assert 16 <= size["value"] / events["value"] <= 64, "bytes of an event in the log"
assert abs(events["ratio"] - events["value"] / events["limit"]) < 0.01
assert figures["ingest.engine_cpu"]["value"] > 0
PYTHON
expect 'directories left behind' "$(find "$E2E" -name 'weir-bench-*' | wc -l)" 0

if [ "$(findmnt -n -o FSTYPE --target /dev/shm)" = tmpfs ]; then
	"$bench" ingest --dir /dev/shm --weird "$WEIRD" >"$E2E/out" 2>"$E2E/said"
	expect 'exit status on tmpfs' $? 3
	grep -q -- '--dir' "$E2E/said" || fail "tmpfs: $(cat "$E2E/said")"
fi
pass
