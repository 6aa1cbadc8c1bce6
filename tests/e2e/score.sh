#!/usr/bin/env bash
# score: any CSV file through the default detector: a row for each row, nothing read ahead, missing
# is missing however it is written, and messages that name the line.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need python3 gzip

# score WANTED OPTION...: its exit code; what it says is in $E2E/out and $E2E/err.
score() {
	local wanted=$1
	shift
	timeout 60 "$WEIRCTL" score "$@" >"$E2E/out" 2>"$E2E/err"
	expect "exit code of score $*" $? "$wanted"
}

# Seventeen days of orders in ten minutes, two hours of outage on the sixteenth; the same as a gauge, with
# blanks; without the blank rows; as a ratio; and with a doubled hour.
python3 - "$E2E" <<'END'
import math, random, sys
from datetime import datetime, timezone
random.seed(4)
folder = sys.argv[1]
start = 1298678400  # 2011-02-26; New York changes its clocks on the sixteenth day

def poisson(mean):
    count, product, limit = 0, random.random(), math.exp(-mean)
    while product > limit:
        count, product = count + 1, product * random.random()
    return count

counts, gauge, gaps, ratio, doubled = [], [], [], [], []
for i in range(17 * 144):
    time = start + i * 600
    shape = 1 - 0.7 * math.cos(2 * math.pi * i / 144)
    outage = 15 * 144 + 70 <= i < 15 * 144 + 82
    n = 0 if outage else poisson(60 * shape)
    iso = datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    counts.append(f"{iso},{n},ignored")
    blank = i % 37 == 5
    gauge.append(f"{time},{'' if blank else round(20 + 5 * shape + random.gauss(0, 0.3), 3)}")
    if not blank:
        gaps.append(gauge[-1])
    orders = poisson(4)
    ratio.append(f"{orders / 200},200,{time}")
    doubled.append(f"{time},{n}")
    if i == 700:
        doubled += doubled[-6:]
for name, header, rows in (
    ("counts", "timestamp,value,note", counts),
    ("gauge", "timestamp,value", gauge),
    ("gaps", "timestamp,value", gaps),
    ("ratio", "value,weight,timestamp", ratio),
    ("doubled", "timestamp,value", doubled),
):
    with open(f"{folder}/{name}.csv", "w") as file:
        file.write("\n".join([header] + rows) + "\n")
END

columns=timestamp,value,expected,lower,upper,score,onset,severity,alarm

# A row for each row, numbers only; the outage raises the alarm, and nothing before it did twice.
score 0 "$E2E/counts.csv"
python3 - "$E2E/counts.csv" "$E2E/out" "$columns" <<'END' || fail "rows of counts.csv"
import csv, math, sys
from datetime import datetime, timezone
given = list(csv.DictReader(open(sys.argv[1])))
found = list(csv.reader(open(sys.argv[2])))
assert found[0] == sys.argv[3].split(","), found[0]
rows = [dict(zip(found[0], map(float, row))) for row in found[1:]]
assert len(rows) == len(given), len(rows)
for row, source in zip(rows, given):
    time = datetime.strptime(source["timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    assert row["timestamp"] == time.timestamp() and row["value"] == float(source["value"]), row
    assert all(map(math.isfinite, row.values())), row
    assert row["lower"] <= row["expected"] <= row["upper"] and row["score"] >= 0, row
    assert 0 <= row["severity"] <= 100 and row["alarm"] in (0, 1), row
    assert row["onset"] in (0, row["score"]), row
outage = slice(15 * 144 + 70, 15 * 144 + 82)
before = rows[8 * 144 : outage.start]
assert sum(row["alarm"] for row in rows[outage]) == 1
assert max(row["score"] for row in rows[outage]) > 8
assert max(row["severity"] for row in rows[outage]) > 75
assert sum(row["alarm"] for row in before) <= 1
assert sorted(row["score"] for row in before)[len(before) // 2] < 2
assert rows[-1]["score"] < 4, "the score falls again"
END

# Nothing is read ahead: of any prefix of a hundred rows or more, the same rows.
for file in counts gauge ratio doubled; do
	score 0 "$E2E/$file.csv"
	mv "$E2E/out" "$E2E/whole"
	for rows in 100 101 733 1300; do
		head -n $((rows + 1)) "$E2E/$file.csv" >"$E2E/prefix.csv"
		score 0 "$E2E/prefix.csv"
		cmp <(head -n $((rows + 1)) "$E2E/whole") "$E2E/out" || fail "the first $rows of $file"
	done
done

# A row comes out before the next one goes in, from a pipe too.
mkfifo "$E2E/in"
timeout 60 "$WEIRCTL" score - <"$E2E/in" >"$E2E/streamed" &
started $!
scoring=$!
exec 3>"$E2E/in"
head -n 201 "$E2E/counts.csv" >&3
streamed() { [ "$(wc -l <"$E2E/streamed")" -eq "$1" ]; }
wait_for 60 'the rows that went in' streamed 201
sed -n 202p "$E2E/counts.csv" >&3
wait_for 60 'one row more' streamed 202
exec 3>&-
wait "$scoring" || fail "score of a pipe"

# Missing is missing: a blank value is an interval without a row, and its row says nothing.
score 0 "$E2E/gauge.csv"
mv "$E2E/out" "$E2E/whole"
score 0 "$E2E/gaps.csv"
awk -F, '$2 != ""' "$E2E/whole" | cmp - "$E2E/out" || fail "a blank value is not an absent row"
awk -F, '$2 == "" && ($6 != 0 || $7 != 0 || $8 != 0 || $9 != 0 || $3 == "")' "$E2E/whole" |
	grep . && fail "a blank value says something"

# A doubled hour is passed over, row by row, and said.
score 0 "$E2E/doubled.csv"
says '6 of 2454 rows'
python3 - "$E2E/doubled.csv" "$E2E/out" <<'END' || fail "rows of doubled.csv"
import sys
given, found = ([line.split(",") for line in open(path)] for path in sys.argv[1:])
assert [row[:2] for row in found[1:]] == [[row[0], row[1].strip()] for row in given[1:]]
assert all(row[5:] == ["0", "0", "0", "0\n"] for row in found[702:708])
END

# What is inferred, and what is given; a file that is packed; the rows in a file of their own.
score 0 "$E2E/counts.csv" --out "$E2E/scored.csv"
says '^2448 rows, one every 600 s, scored as count: '
expect 'lines of --out' "$(wc -l <"$E2E/scored.csv")" 2449
gzip -k "$E2E/counts.csv"
score 0 "$E2E/counts.csv.gz"
cmp "$E2E/out" "$E2E/scored.csv" || fail "a packed file is another one"
score 0 "$E2E/counts.csv" --kind count --interval 10m
cmp "$E2E/out" "$E2E/scored.csv" || fail "what is inferred is not what is given"
# The zone decides the phase, not what the timestamps are.
score 0 "$E2E/counts.csv" --timezone America/New_York
cmp -s "$E2E/out" "$E2E/scored.csv" && fail "the zone makes no difference"
cmp <(cut -d, -f1,2 "$E2E/out") <(cut -d, -f1,2 "$E2E/scored.csv") || fail "the zone moves the times"
score 0 "$E2E/counts.csv" --timezone UTC
cmp "$E2E/out" "$E2E/scored.csv" || fail "UTC is not the default"

score 0 "$E2E/counts.csv" --kind sum --out "$E2E/sum.csv"
says 'scored as sum'
score 0 "$E2E/gauge.csv" --out "$E2E/scored.csv"
says 'scored as gauge'
score 0 "$E2E/ratio.csv" --out "$E2E/scored.csv"
says 'scored as ratio'

# The chart is a picture of its own, with a ring for each alarm and no number that is none; of the
# span that is asked for only.
score 0 "$E2E/counts.csv" --svg "$E2E/all.svg" --out "$E2E/scored.csv"
score 0 "$E2E/counts.csv" --svg "$E2E/day.svg" --since 2011-03-13 --until 2011-03-14 --out "$E2E/scored.csv"
score 0 "$E2E/gauge.csv" --svg "$E2E/gauge.svg" --since 2011-03-05 --out "$E2E/gauge.scored"
python3 - "$E2E" <<'END' || fail "charts"
import csv, re, sys
import xml.etree.ElementTree as xml
folder = sys.argv[1]
alarms = [int(row["timestamp"]) for row in csv.DictReader(open(f"{folder}/scored.csv")) if row["alarm"] == "1"]
for name, wanted in (
    ("all", len(alarms)),
    ("day", sum(1299974400 <= time < 1300060800 for time in alarms)),
):
    text = open(f"{folder}/{name}.svg").read()
    root = xml.fromstring(text)
    assert root.tag.endswith("svg") and not re.search(r"nan|inf", text)
    rings = [e for e in root if e.tag.endswith("circle") and e.get("class") == "alarm"]
    assert len(rings) == wanted + 1, (name, len(rings), wanted)  # and the legend's
    for path in root.iter("{http://www.w3.org/2000/svg}path"):
        for x in re.findall(r"[ML](-?[0-9.]+)", path.get("d")):
            assert 0 <= float(x) <= 960, x
assert "expected" in open(f"{folder}/day.svg").read()
# A line breaks where a value is missing.
value = [e for e in xml.parse(f"{folder}/gauge.svg").iter() if e.get("class") == "value"][-1].get("d")
assert value.count("M") > 30, value.count("M")
END
score 3 "$E2E/counts.csv" --svg "$E2E/none.svg" --since 2020-01-01 --out "$E2E/scored.csv"
says 'no row has a value'

# As JSON the rows say the same.
score 0 "$E2E/gauge.csv" --json
mv "$E2E/out" "$E2E/json"
score 0 "$E2E/gauge.csv"
python3 - "$E2E/json" "$E2E/out" <<'END' || fail "--json says something else"
import csv, json, sys
objects = [json.loads(line) for line in open(sys.argv[1])]
rows = list(csv.DictReader(open(sys.argv[2])))
assert len(objects) == len(rows)
for left, right in zip(objects, rows):
    assert list(left) == list(right)
    assert [left[key] for key in left] == [float(right[key]) if right[key] else None for key in left]
END

# A file of one row is answered by one row, an empty one by none.
printf 'timestamp,value\n100,2\n' >"$E2E/one.csv"
score 0 "$E2E/one.csv"
expect 'lines of one row' "$(sed -n '2s/,.*//p' "$E2E/out") $(wc -l <"$E2E/out")" '100 2'
head -n 1 "$E2E/one.csv" >"$E2E/none.csv"
score 0 "$E2E/none.csv"
expect 'no rows' "$(cat "$E2E/out")" "$columns"

# Wrong files say where they are wrong; what was right before that has come out.
{ head -n 150 "$E2E/counts.csv" && echo '2011-01-02,many,x'; } >"$E2E/wrong.csv"
score 1 "$E2E/wrong.csv"
says 'line 151: value "many"'
expect 'rows before the wrong one' "$(wc -l <"$E2E/out")" 150
printf 'when,value\n1,2\n' >"$E2E/wrong.csv"
score 1 "$E2E/wrong.csv"
says 'no column timestamp'
score 1 "$E2E/counts.csv" --kind ratio
says 'column weight'
score 3 "$E2E/absent.csv"
says 'cannot open'
score 3 "$E2E/counts.csv" --out "$E2E/absent/out.csv"
says 'cannot write'
score 2 "$E2E/counts.csv" --timezone Europe/Atlantis
says 'Europe/Atlantis'
score 2 "$E2E/counts.csv" --kind histogram
score 2 "$E2E/counts.csv" --interval 10ms
pass
