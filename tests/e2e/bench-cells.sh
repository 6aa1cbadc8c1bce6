#!/usr/bin/env bash
# weir-bench cells: the engine's cells hold what the bare loop's hold, and a rate is said for each
# number of series.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3

bench=$WEIR_BUILD/bench/weir-bench

"$bench" cells --json --quick >"$E2E/figures" 2>"$E2E/said"
expect 'exit status of cells' $? 0
python3 - "$E2E/figures" <<'PYTHON' || fail "figures: $(cat "$E2E/figures")"
import json, sys
lines = list(map(json.loads, open(sys.argv[1])))
assert lines[0]["name"] == "machine" and "cores_apart_ns" in lines[0]
figures = {f["name"]: f for f in lines if "value" in f}
assert list(figures) == ["cells.1k", "cells.100k", "cells.1m"]
for figure in figures.values():
    assert figure["lossless"] is True and figure["unit"] == "events/s" and figure["runs"] == 2
    assert 0 < figure["min"] <= figure["value"] <= figure["max"] and figure["limit"] > 0
PYTHON
"$bench" cells --quick --series 12345 >"$E2E/out" 2>"$E2E/said"
expect 'exit status with odd series' $? 0
grep -q '^cells.12345 ' "$E2E/out" || fail "no figure: $(cat "$E2E/out")"
pass
