#!/usr/bin/env bash
# weir-bench quality slices, a few shops of it: every figure is there and plausible, large faults are
# found, and the same seed gives the same figures on any threads.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3

bench=$WEIR_BUILD/bench/weir-bench

"$bench" quality slices --quick --json --threads 3 >"$E2E/figures" 2>"$E2E/said"
expect 'exit status' $? 0
python3 - "$E2E/figures" <<'PYTHON' || fail "figures: $(cat "$E2E/figures")"
import json, sys
figures = {f["name"]: f["value"] for f in map(json.loads, open(sys.argv[1])) if "value" in f}
of = lambda name: figures["slices_r200_" + name]
for group in ("country", "device", "value", "pair", "countries", "pairs", "any"):
    for size in ("20p", "40p", "70p"):
        for watcher in ("", "shipped_"):
            row = {f: of(f"{group}_{size}_{watcher}{f}") for f in ("possible", "found", "delay", "named")}
            assert 0 <= row["found"] <= 100 and 0 <= row["possible"] <= 100, (group, size, row)
            assert row["delay"] is None or 1 <= row["delay"] <= 47, (group, size, row)
            assert row["named"] is None or 0 <= row["named"] <= 100, (group, size, row)
        assert of(f"{group}_{size}_possible") >= of(f"{group}_{size}_shipped_possible")
assert of("value_70p_found") == of("value_70p_shipped_found") == 100
assert of("any_70p_delay") < of("any_20p_delay"), "what is larger is found sooner"
alarms = 0
for mean in ("0.1", "1", "5", "20", "100", "1000", "0"):
    clean = {f: figures[f"slices_clean_1440m_e{mean}_n10{f}"] for f in ("", "_least", "_most", "_alarms")}
    assert clean["_least"] <= clean[""] <= clean["_most"], (mean, clean)
    most = {0: 2.996, 1: 4.744, 2: 6.296}.get(clean["_alarms"])
    assert most is None or abs(clean["_most"] * 208 / 39.81 - most) < 0.01, (mean, clean)
    alarms += clean["_alarms"]
assert 7 * 5.2 / 4 < alarms < 7 * 5.2 * 3, f"{alarms} alarms in the place of {7 * 5.2}"
assert 0 < of("hours_50") < 4 and of("fired_year") < 100
PYTHON

"$bench" quality slices --quick --json --threads 1 --seed 1 >"$E2E/one" 2>"$E2E/said"
expect 'exit status' $? 0
cmp <(grep -v machine "$E2E/one") <(grep -v machine "$E2E/figures") || fail "threads change a figure"

"$bench" quality slices --table faults --shops 1 --rates 20 >"$E2E/out" 2>"$E2E/said"
expect 'exit status' $? 0
grep -qE '^one country, -70 % +[01] ' "$E2E/out" || fail "table: $(cat "$E2E/out")"

"$bench" quality slices --rates 5,x >"$E2E/out" 2>"$E2E/said"
expect 'exit status of rates that are none' $? 2
grep -q -- '--rates' "$E2E/said" || fail "--rates: $(cat "$E2E/said")"
"$bench" quality slices --table clean --slices 100 >"$E2E/out" 2>"$E2E/said"
expect 'exit status of slices that there are none of' $? 2
grep -q -- '--slices' "$E2E/said" || fail "--slices: $(cat "$E2E/said")"
pass
