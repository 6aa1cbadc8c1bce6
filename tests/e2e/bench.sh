#!/usr/bin/env bash
# A second of weir-bench ingest with two producers on two lanes: every figure is there, nothing is
# lost, nothing is left behind. And it refuses to call memory durable. Before it weir-bench detect on
# a few series: the detectors see those that stop, and the parts make up the whole.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3 findmnt

bench=$WEIR_BUILD/bench/weir-bench

"$bench" detect --json --series 500 --closes 8 --detectors seasonal,window,absence,rule \
	>"$E2E/figures" 2>"$E2E/said"
expect 'exit status of detect' $? 0
python3 - "$E2E/figures" <<'PYTHON' || fail "figures: $(cat "$E2E/figures")"
import json, sys
figures = {f["name"]: f for f in map(json.loads, open(sys.argv[1]))}
assert all(f["lossless"] is True for f in figures.values())
parts = ["detect_" + part for part in ("rollup", "seasonal", "window", "absence", "rule")]
assert all(figures[part]["runs"] == 8 and figures[part]["unit"] == "ms" for part in parts)
assert figures["detect_close"]["runs"] == 6 and figures["detect_close_hour"]["runs"] == 2
close = figures["detect_close"]
assert abs(close["limit"] - 100 * 500 * 4 / 300e3) < 1e-3, "100 ms for 100,000 series x 3"
assert sum(figures[part]["min"] for part in parts) <= close["value"]
each = close["value"] * 1e6 / 500 / 4
assert abs(figures["detect_each"]["value"] - each) < 0.01 * each, "ns of a series and detector"
assert figures["detect_state"]["value"] > 1000
assert 0 < figures["detect_series_state"]["value"] <= 4096, "bytes of a series"
assert all(figures["detect_" + build]["unit"] == "ns" for build in ("scalar", "vector"))
PYTHON
"$bench" detect --detectors none >"$E2E/out" 2>"$E2E/said"
expect 'exit status without detectors' $? 3

"$bench" ingest --json --dir "$E2E" --weird "$WEIRD" --seconds 1 --runs 1 --series 2000 \
	--ring 16384 --limit-mib 64 --producers 2 --lanes 2 >"$E2E/figures" 2>"$E2E/said"
code=$?
if [ "$code" -eq 2 ] && grep -qE 'tmpfs|O_DIRECT|are needed' "$E2E/said"; then
	skip "$(cat "$E2E/said")"
fi
expect 'exit status' "$code" 0
python3 - "$E2E/figures" <<'PYTHON' || fail "figures: $(cat "$E2E/figures")"
import json, sys
figures = {f["name"]: f for f in map(json.loads, open(sys.argv[1]))}
assert all(f["lossless"] is True and f["runs"] == 1 for f in figures.values())
assert all(f["min"] <= f["value"] <= f["max"] for f in figures.values())
events, size = figures["ingest_events"], figures["ingest_bytes"]
assert events["value"] > 0 and events["unit"] == "events/s"
assert 16 <= size["value"] / events["value"] <= 64, "bytes of an event in the log"
assert abs(events["ratio"] - events["value"] / events["limit"]) < 0.01
assert figures["ingest_engine_cpu"]["value"] > 0
PYTHON
expect 'directories left behind' "$(find "$E2E" -name 'weir-bench-*' | wc -l)" 0

if [ "$(findmnt -n -o FSTYPE --target /dev/shm)" = tmpfs ]; then
	"$bench" ingest --dir /dev/shm --weird "$WEIRD" >"$E2E/out" 2>"$E2E/said"
	expect 'exit status on tmpfs' $? 3
	grep -q -- '--dir' "$E2E/said" || fail "tmpfs: $(cat "$E2E/said")"
fi
pass
