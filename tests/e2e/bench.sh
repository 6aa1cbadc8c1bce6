#!/usr/bin/env bash
# The smoke form of every question that weir-bench answers: the machine stands first, every figure is
# whole, nothing that is kept is lost, and nothing is left behind. How fast it is, is no test's
# business. (Those of `quality` have tests of their own.)
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3 jq

bench=$WEIR_BUILD/bench/weir-bench
mapfile -t questions < <("$bench" --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -vx quality)
[ ${#questions[@]} -ge 3 ] || fail "weir-bench knows ${#questions[@]} questions only"

# ask QUESTION [OPTION...]: its smoke form, on the disk if it writes; says are in $E2E/said.
ask() {
	local question=$1 options=(--quick)
	shift
	! "$bench" "$question" --help | grep -q -- '--dir ' || options+=(--dir "$E2E")
	timeout 120 "$bench" "$question" "${options[@]}" "$@" >"$E2E/out" 2>"$E2E/said"
}

for question in "${questions[@]}"; do
	ask "$question" --json
	code=$?
	if [ "$code" -eq 3 ] && grep -qE 'tmpfs|O_DIRECT|are needed|apt-get install' "$E2E/said"; then
		echo "$question: $(cat "$E2E/said")"
		continue
	fi
	[ "$code" -eq 0 ] || fail "$question --quick ended with $code: $(cat "$E2E/said")"
	python3 - "$E2E/out" <<'PYTHON' || fail "$question: $(cat "$E2E/out")"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
machine, rest = lines[0], lines[1:]
assert machine["name"] == "machine" and machine["cores"] >= 1 and machine["memory"] > 0
assert all(machine[key] for key in ("cpu", "kernel", "version", "commit", "compiler"))
figures = [f for f in rest if f["name"] != "note"]
assert all(f["text"] for f in rest if f["name"] == "note")
assert figures, "no figure"
names = [f["name"] for f in figures]
assert len(set(names)) == len(names), "a name twice"
for f in figures:
    keys = {"name", "value", "unit", "limit", "ratio", "min", "max", "runs", "lossless"}
    assert keys <= set(f) and set(f) - keys <= {"void", "absent"}, f
    if f["value"] is None:
        assert f["absent"] and f["runs"] == 0, f
        continue
    assert f["unit"] and f["runs"] >= 1 and f["min"] <= f["value"] <= f["max"], f
    assert f["lossless"] in (True, None), f
    assert "void" not in f or (f["ratio"] is None and f["limit"] is not None), f
PYTHON
	expect "$question: directories left behind" "$(find "$E2E" -mindepth 1 -type d | wc -l)" 0
done

# What was the matter with the directory.
ask history --dir "$E2E/nowhere"
expect 'exit status of a directory that is not there' $? 3
grep -q -- 'nowhere: No such file.*--dir' "$E2E/said" || fail "it says: $(cat "$E2E/said")"

# A terminal interrupts all processes of the group: it ends soon, and none of them stays.
if [ "$(nproc)" -ge 2 ]; then
	setsid "$bench" ring --runs 21 --ms 300 >"$E2E/out" 2>"$E2E/said" &
	ring=$!
	started "$ring"
	# Its processes: state and group are the third and fifth word.
	alive() { cat /proc/[0-9]*/stat 2>/dev/null |
		awk -v group="$ring" '/\(weir-bench\)/ && $3 != "Z" && $5 == group' | wc -l; }
	two() { [ "$(alive)" -eq 2 ]; }
	gone() { [ "$(alive)" -eq 0 ]; }
	wait_for 60 'producer and consumer' two
	kill -INT -- "-$ring"
	wait_for 60 'an interrupted ring to end' gone
	wait "$ring"
	expect 'exit status of an interrupted ring' $? 3
	grep -q interrupted "$E2E/said" || fail "it says: $(cat "$E2E/said")"
fi

# The table has the same figures, below the machine.
ask detect --json || fail "detect --quick: $(cat "$E2E/said")"
jq -r 'select(has("value")) | .name' "$E2E/out" >"$E2E/names"
ask detect || fail "detect --quick: $(cat "$E2E/said")"
grep -q '^machine  ' "$E2E/out" || fail "no machine: $(cat "$E2E/out")"
while read -r name; do
	grep -qF "$name " "$E2E/out" || fail "no $name in the table: $(cat "$E2E/out")"
done <"$E2E/names"
pass
