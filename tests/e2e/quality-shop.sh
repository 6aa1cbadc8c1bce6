#!/usr/bin/env bash
# weir-bench quality shop, a few series of it: every figure is there and plausible. The oracle finds
# more than the detector, the detector more than the rules that people run; alarms on clean data are
# about as many as severity 50 says; and the same seed gives the same figures on any threads.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3

bench=$WEIR_BUILD/bench/weir-bench

"$bench" quality shop --quick --json --threads 3 >"$E2E/figures" 2>"$E2E/said"
expect 'exit status' $? 0
python3 - "$E2E/figures" <<'PYTHON' || fail "figures: $(cat "$E2E/figures")"
import json, sys
figures = {f["name"]: f["value"] for f in map(json.loads, open(sys.argv[1])) if "value" in f}
for tier in ("t0", "t1", "t2", "t3"):
    for kind, rates in (("", ("r20", "r500")), ("conversion_", ("r100",)), ("revenue_", ("r20",))):
        of = lambda name, column: figures[f"shop_{tier}_{kind}{name}_{column}"]
        for column in rates + ("all",):
            assert 100 >= of("oracle", column) > of("weir", column) > 0, (tier, kind, column)
            assert abs(of("ratio", column) - of("weir", column) / of("oracle", column)) < 1e-4
            for rival in ("1h", "24h", "7d", "hour_of_week"):
                # So few series say little of tier 2, where both lose.
                assert tier == "t2" or of("ratio", column) > of("rival_" + rival, column), (tier, kind, column, rival)
                assert of("loud_" + rival, column) >= 0
            assert (0.2 if tier < "t2" else 0) <= of("hours_50", column) <= 4, "alarm-hours a week at severity 50"
            assert of("episodes_50", column) <= of("hours_50", column)
            assert 0 < of("error", column) < 20 and of("ns", column) > 0
        assert abs(of("hours_global", "all") - 1) < 1e-9, "the threshold is where it should be"
        assert 0.5 < of("delay_50", "all") < 4
    if tier > "t1":
        assert f"shop_{tier}_shift_found_r100" not in figures, "nothing else is asked of these tiers"
        continue
    of = lambda name, rate="r100": figures[f"shop_{tier}_{name}_{rate}"]
    assert of("shift_found") > 50 and of("outage_found") == 100 and of("outage_half") <= 3
    assert of("shift_limit") > 1 and of("drift_limit") > of("shift_limit")
    assert 0 <= of("conversion_found_30") <= of("conversion_found_60") <= 100
    assert 5 < of("conversion_limit") < 40
    for kind in ("count", "conversion", "revenue", "basket"):
        for minutes in (1, 5, 15, 60):
            assert 0 <= figures[f"shop_{tier}_calm_{kind}_{minutes}m_r100"] < 20, (tier, kind, minutes)
assert figures["shop_t0_error_r500"] < figures["shop_t1_error_r500"], "tier 1 is noisier"
assert figures["shop_t2_oracle_r500"] == figures["shop_t3_oracle_r500"], "the oracle needs no calendar"
assert figures["shop_t2_ratio_all"] < figures["shop_t3_ratio_all"], "a calendar helps"
assert figures["shop_t0_oracle_r500"] > figures["shop_t0_oracle_r20"], "more events tell more"
PYTHON

# For people: the same, of one table.
"$bench" quality shop --quick --table count --tier 0 >"$E2E/out" 2>"$E2E/said"
expect 'exit status' $? 0
grep -qE '^events a minute +20 +500 +all$' "$E2E/out" || fail "table: $(cat "$E2E/out")"
grep -qE '^found by weir, % ' "$E2E/out" || fail "table: $(cat "$E2E/out")"
grep -qE '^alarm-hours/week, severity 50 ' "$E2E/out" || fail "table: $(cat "$E2E/out")"

# All but the time that it took follows from the seed.
figures() {
	"$bench" quality shop --quick --json --table count --no-rivals "$@" 2>"$E2E/said" | grep -v -e _ns_ -e machine
}
figures --threads 1 >"$E2E/one"
figures --threads 3 >"$E2E/three"
figures --seed 2 >"$E2E/other"
cmp "$E2E/one" "$E2E/three" || fail "threads change a figure"
! cmp -s "$E2E/one" "$E2E/other" || fail "another seed gives the same figures"
grep -q rival "$E2E/one" && fail "--no-rivals: $(grep rival "$E2E/one")"

"$bench" quality shop --rates 5,x >"$E2E/out" 2>"$E2E/said"
expect 'exit status of rates that are none' $? 2
grep -q -- '--rates' "$E2E/said" || fail "--rates: $(cat "$E2E/said")"
pass
