#!/usr/bin/env bash
# weir-bench detect on a few series: the detectors see those that stop, and the parts make up the
# whole.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3

bench=$WEIR_BUILD/bench/weir-bench

"$bench" detect --json --quick --scale --detectors seasonal,window,absence,rule \
	>"$E2E/figures" 2>"$E2E/said"
expect 'exit status of detect' $? 0
python3 - "$E2E/figures" <<'PYTHON' || fail "figures: $(cat "$E2E/figures")"
import json, sys
figures = {f["name"]: f for f in map(json.loads, open(sys.argv[1])) if "value" in f}
assert all(f["lossless"] is True for f in figures.values())
parts = ["detect." + part for part in ("rollup", "seasonal", "window", "absence", "rule")]
assert all(figures[part]["runs"] == 8 and figures[part]["unit"] == "ms" for part in parts)
assert figures["detect.close"]["runs"] == 6 and figures["detect.close_hour"]["runs"] == 2
close = figures["detect.close"]
assert abs(close["limit"] - 100 * 500 * 4 / 300e3) < 1e-3, "100 ms for 100,000 series x 3"
assert sum(figures[part]["min"] for part in parts) <= close["value"]
each = close["value"] * 1e6 / 500 / 4
assert abs(figures["detect.each"]["value"] - each) < 0.01 * each, "ns of a series and detector"
assert figures["detect.state"]["value"] > 1000
assert 0 < figures["detect.series_state"]["value"] <= 4096, "bytes of a series"
for kind in ("seasonal", "window"):
    for part in ("scalar", "vector", "bytes"):
        figure = figures["detect.%s.%s.1k" % (kind, part)]
        assert figure["lossless"] and figure["value"] > 0, figure
assert all(figures["detect." + build]["unit"] == "ns" for build in ("scalar", "vector"))
PYTHON
"$bench" detect --detectors none >"$E2E/out" 2>"$E2E/said"
expect 'exit status without detectors' $? 3
pass
