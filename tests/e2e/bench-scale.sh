#!/usr/bin/env bash
# weir-bench scale: the CSV and the charts are of the same figures, a case that would take minutes is
# absent with a reason, and a list that is none is refused.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3

bench=$WEIR_BUILD/bench/weir-bench

"$bench" scale --dir "$E2E" --json --producers 1,64 --series 1000,1000000 --ms 100 --runs 1 --ring 4096 \
	--limit-mib 16 --csv "$E2E/scale.csv" --svg "$E2E/rate.svg" --svg-cpu "$E2E/cpu.svg" \
	>"$E2E/figures" 2>"$E2E/said" &
pid=$!
started "$pid"
wait "$pid"
code=$?
if [ "$code" -eq 3 ] && grep -qE 'tmpfs|O_DIRECT|are needed' "$E2E/said"; then
	skip "$(cat "$E2E/said")"
fi
[ "$code" -eq 0 ] || fail "ended with $code: $(cat "$E2E/said")"
python3 - "$E2E" <<'PYTHON' || fail "$(cat "$E2E/figures" "$E2E/scale.csv")"
import csv, json, sys
import xml.etree.ElementTree as tree
top = sys.argv[1] + "/"
figures = {f["name"]: f for f in map(json.loads, open(top + "figures")) if "value" in f}
assert len(figures) == 8
assert figures["scale.p64.s1m"]["value"] is None and "--all" in figures["scale.p64.s1m"]["absent"]
rows = list(csv.DictReader(open(top + "scale.csv")))
assert [(row["producers"], row["series"]) for row in rows] == [("1", "1000"), ("1", "1000000"), ("64", "1000")]
for row, name in zip(rows, ("scale.p1.s1k", "scale.p1.s1m", "scale.p64.s1k")):
    rate, cpu = figures[name], figures[name + ".cpu"]
    assert row["lossless"] == "true" and rate["lossless"] is True and row["runs"] == "1"
    assert abs(float(row["events_per_s"]) / rate["value"] - 1) < 1e-4 and rate["unit"] == "events/s"
    assert abs(float(row["engine_ns_per_event"]) - cpu["value"]) < 1e-2 + 1e-4 * cpu["value"]
    assert 16 <= float(row["log_bytes_per_event"])
for name, points in (("rate.svg", 3), ("cpu.svg", 3)):
    circles = [e for e in tree.parse(top + name).getroot().iter() if e.tag.endswith("circle")]
    assert sum(e.get("r") == "3" for e in circles) == points, "a point for each case"
PYTHON
expect 'directories left behind' "$(find "$E2E" -mindepth 1 -type d | wc -l)" 0

for list in 4,1 1,x 0 '1,' '' 1,2,3,4,5,6,7; do
	"$bench" scale --dir "$E2E" --producers "$list" >"$E2E/out" 2>"$E2E/said"
	expect "exit status of --producers $list" $? 2
	grep -q "is no list" "$E2E/said" || fail "--producers $list: $(cat "$E2E/said")"
done
pass
