#!/usr/bin/env bash
# weir-bench quality nab: a folder whose answers are known, then the published result files of the
# benchmark, which must get the scores they are known to have. The benchmark's files are not part of
# weir: they are looked for in $WEIR_NAB, or in ../shared/data/nab beside the source.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3

bench=$WEIR_BUILD/bench/weir-bench
source=$(cd "$(dirname "$0")/../.." && pwd)
nab=${WEIR_NAB:-$source/../shared/data/nab}

# value FILE NAME: of one figure.
value() {
	python3 -c 'import json, sys
print({f["name"]: f["value"] for f in map(json.loads, open(sys.argv[1])) if "value" in f}[sys.argv[2]])' "$@"
}

# Two files of two weeks; results that see the one window at once, the other not, and cry once.
python3 - "$E2E" <<'PYTHON'
import datetime, json, os, random, sys
top, labels, chance = sys.argv[1], {}, random.Random(1)
for name in ("realA/one.csv", "realB/two.csv"):
    times = [datetime.datetime(2026, 3, 2) + datetime.timedelta(minutes=5 * i) for i in range(4032)]
    for folder, column in (("data", "value"), ("mine", "anomaly_score")):
        path = os.path.join(top, "nab", folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            print("timestamp," + column, file=out)
            for i, time in enumerate(times):
                if folder == "data":
                    number = (800 if 3000 <= i < 3100 else 100) + chance.randrange(20)
                else:
                    number = 0.9 if i in ((3000, 50) if "one" in name else (2000,)) else 0
                print(f"{time},{number}", file=out)
    labels[name] = [[str(times[3000]) + ".000000", str(times[3099])]]
json.dump(labels, open(top + "/nab/windows.json", "w"))
PYTHON
"$bench" quality nab "$E2E/nab" --results "$E2E/nab/mine" --json >"$E2E/figures" 2>"$E2E/said"
expect 'exit status' $? 0
# A hit, a miss, a false alarm before the window: (1 - 1 - 0.11 + 2) / 4.
expect 'nab_standard' "$(value "$E2E/figures" nab_standard)" 47.25
expect 'nab_low_fp' "$(value "$E2E/figures" nab_low_fp)" 44.5
expect 'nab_low_fn' "$(value "$E2E/figures" nab_low_fn)" 48.1667 # a miss costs twice: (1 - 2 - 0.11 + 4) / 6
expect 'nab_a' "$(value "$E2E/figures" nab_a)" 100
expect 'nab_false_rows' "$(value "$E2E/figures" nab_false_rows)" 1

# Eight times the usual, for eight hours: nobody misses that.
"$bench" quality nab "$E2E/nab" --json >"$E2E/figures" 2>"$E2E/said"
expect 'exit status' $? 0
expect 'windows that a sliding mean hits' "$(value "$E2E/figures" nab_sliding_7d_hits)" 2
"$bench" quality nab "$E2E/nab" --files --halves >"$E2E/out" 2>"$E2E/said"
expect 'exit status' $? 0
grep -q '^realB/two.csv: . of 1 windows, . false, ' "$E2E/out" || fail "--files: $(cat "$E2E/out")"
"$bench" quality nab "$E2E" >"$E2E/out" 2>"$E2E/said"
expect 'exit status without labels' $? 3
grep -q 'windows.json' "$E2E/said" || fail "without labels: $(cat "$E2E/said")"

# What is judged is what weirctl score says of the same file.
for file in realA/one.csv realB/two.csv; do
	mkdir -p "$E2E/ours/${file%/*}"
	"$WEIRCTL" score "$E2E/nab/data/$file" --out "$E2E/rows" >"$E2E/out" || fail "weirctl score: $file"
	sed '1s/\<score\>/anomaly_score/' "$E2E/rows" >"$E2E/ours/$file"
done
"$bench" quality nab "$E2E/nab" --column score --json >"$E2E/figures" 2>"$E2E/said"
expect 'windows that the default detector hits' "$(value "$E2E/figures" nab_hits)" 2
"$bench" quality nab "$E2E/nab" --results "$E2E/ours" --json >"$E2E/figures.rows" 2>"$E2E/said"
for figure in nab_standard nab_low_fn nab_threshold nab_false_rows nab_half; do
	expect "$figure of weirctl's rows" "$(value "$E2E/figures.rows" $figure)" "$(value "$E2E/figures" $figure)"
done

[ -r "$nab/windows.json" ] || skip "no files of the benchmark in $nab; WEIR_NAB says where they are"
for results in "$nab"/results/*/; do
	name=$(basename "$results")
	"$bench" quality nab "$nab" --results "$results" --json >"$E2E/figures" 2>"$E2E/said" ||
		fail "$name: $(cat "$E2E/said")"
	python3 - "$name" "$E2E/figures" "$nab/scores_on_these_files.json" <<'PYTHON' || fail "$name: not as published"
import json, sys
name, figures, published = sys.argv[1:]
found = {f["name"]: f["value"] for f in map(json.loads, open(figures)) if "value" in f}
wanted = json.load(open(published))["scores"][name]
ours = {"standard": "nab_standard", "reward_low_FP_rate": "nab_low_fp", "reward_low_FN_rate": "nab_low_fn"}
for profile, figure in ours.items():
    assert abs(found[figure] - wanted[profile]) <= 0.0051, (figure, found[figure], wanted[profile])
assert abs(found["nab_threshold"] - wanted["threshold_standard"]) < 1e-5 * wanted["threshold_standard"]
PYTHON
done
pass
