#!/usr/bin/env bash
# score --calendar: what is known to come is no anomaly, and what it brought is not learned; nothing
# is read ahead; messages that name the line.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3

# score WANTED OPTION...: its exit code; what it says is in $E2E/out and $E2E/err.
score() {
	local wanted=$1
	shift
	timeout 60 "$WEIRCTL" score "$@" >"$E2E/out" 2>"$E2E/err"
	expect "exit code of score $*" $? "$wanted"
}

# Thirty days of orders in ten minutes, their clock 53 s off; four hours of twice as much on days
# 20 and 27, an hour and a weekday apart.
python3 - "$E2E" <<'END'
import math, random, sys
random.seed(11)
folder, start, rows = sys.argv[1], 1700000053, ["timestamp,value"]
sales = [(20 * 144 + 60, 24), (26 * 144 + 66, 24)]
for i in range(30 * 144):
    mean = 120 * (1 - 0.5 * math.cos(2 * math.pi * i / 144))
    for at, length in sales:
        if at <= i < at + length:
            mean *= 2
    rows.append(f"{start + i * 600},{max(0, round(random.gauss(mean, math.sqrt(mean))))}")
open(f"{folder}/rows.csv", "w").write("\n".join(rows) + "\n")
spans = [(start + at * 600, start + (at + length) * 600) for at, length in sales]
def calendar(name, effects, header=True):
    with open(f"{folder}/{name}.csv", "w") as file:
        if header:
            file.write("start,end,name,effect\n" if effects[0] else "start,end,name\n")
        for (begin, end), effect in zip(spans, effects):
            file.write(f"{begin},{end},sale{',' + effect if effect else ''}\n")
open(f"{folder}/none.csv", "w").write("start,end,name\n")
calendar("exclude", ["", ""])
calendar("bare", ["", ""], header=False)
calendar("late", ["", "last-year"])
open(f"{folder}/order.csv", "w").write("effect,name,end,start\n" + "".join(f",x,{e},{b}\n" for b, e in spans))
END

alarms() { awk -F, 'NR > 1 && $9 == 1' "$E2E/out" | wc -l; }

# An empty calendar is none; without one the sales are anomalies.
score 0 "$E2E/rows.csv"
cp "$E2E/out" "$E2E/plain"
[ "$(alarms)" -ge 2 ] || fail "the sales are no anomalies without a calendar"
score 0 "$E2E/rows.csv" --calendar "$E2E/none.csv"
cmp "$E2E/plain" "$E2E/out" || fail "an empty calendar changes something"

# Excluded: not a word on these rows, on no other row an alarm; the rows before are what they were,
# and the forecast behind is near what it was the day before.
score 0 "$E2E/rows.csv" --calendar "$E2E/exclude.csv"
cp "$E2E/out" "$E2E/excluded"
expect 'alarms with the sales excluded' "$(alarms)" 0
python3 - "$E2E" <<'END' || fail "rows of an exclusion"
import csv, sys
plain, found = (list(csv.DictReader(open(f"{sys.argv[1]}/{name}"))) for name in ("plain", "excluded"))
at = 20 * 144 + 60
assert plain[:at] == found[:at]
for row in found[at : at + 24]:
    assert (row["score"], row["onset"], row["severity"], row["alarm"]) == ("0", "0", "0", "0"), row
    assert row["expected"] and row["value"], row
assert any(float(row["score"]) > 0 for row in found[at + 24 : at + 30]), "judged again"
for i in range(at + 24, at + 3 * 144):
    new, old = float(found[i]["expected"]), float(found[i - 144]["expected"] if i < at + 144 else found[i]["expected"])
    assert 0.7 < new / old < 1.4, (i, new, old)
END
# The header may be left out, and columns may be in any order.
score 0 "$E2E/rows.csv" --calendar "$E2E/bare.csv"
cmp "$E2E/excluded" "$E2E/out" || fail "without a header"
score 0 "$E2E/rows.csv" --calendar "$E2E/order.csv"
cmp "$E2E/excluded" "$E2E/out" || fail "columns in another order"

# Nothing is read ahead, whatever the calendar says.
score 0 "$E2E/rows.csv" --calendar "$E2E/late.csv"
mv "$E2E/out" "$E2E/whole"
for rows in 100 2950 3900; do
	head -n $((rows + 1)) "$E2E/rows.csv" >"$E2E/prefix.csv"
	score 0 "$E2E/prefix.csv" --calendar "$E2E/late.csv"
	cmp <(head -n $((rows + 1)) "$E2E/whole") "$E2E/out" || fail "the first $rows"
done

# wrong LINE WORDS: a calendar of this line behind a header is refused with these words.
wrong() {
	printf 'start,end,name,effect\n100,200,fine,\n%s\n' "$1" >"$E2E/wrong.csv"
	score 1 "$E2E/rows.csv" --calendar "$E2E/wrong.csv"
	says "line 3: $2"
	expect 'rows behind a wrong calendar' "$(wc -c <"$E2E/out")" 0
}
wrong 'soon,200,x,' 'start "soon" is neither unix seconds'
wrong '100,,x,' 'end "" is neither unix seconds'
wrong '200,100,x,' 'it ends before it begins'
wrong '100,100,x,' 'it ends before it begins'
wrong '100,200,,' 'it has no name'
wrong '100,200,x,skip' 'effect "skip" is not one of exclude, expect:+40%'
wrong '100,200,x,expect:40%' 'effect "expect:40%" is not one of'
wrong '100,200,x,expect:-100%' 'effect "expect:-100%" is not one of'
wrong '100,200,x,expect:+10%,y' 'more than start,end,name,effect'
wrong '100,99999999999999,x,' 'end "99999999999999" is before 1970 or after 2109'
wrong "100,200,$(printf '%0100d' 7)," 'the name has more than 64 bytes'
printf 'start,name\n100,x\n' >"$E2E/wrong.csv"
score 1 "$E2E/rows.csv" --calendar "$E2E/wrong.csv"
says 'line 1: there is no column end'
score 3 "$E2E/rows.csv" --calendar "$E2E/absent.csv"
says 'cannot open'
pass
