#!/usr/bin/env bash
# live: what the engine says of recorded orders as it lives through them is what `weirctl score`
# says of the same intervals in a file, bit for bit: every interval by replay, and what stands at
# the end of each week by the running engine itself; with the detectors' shipped defaults, but for the
# longer periods that they watch beside the interval: a file's rows are scored as they are.
# shellcheck disable=SC2119,SC2317
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq python3 gzip
orders=$(cd "$(dirname "$0")/../.." && pwd)/tools/shop/data/orders-2011-01.csv.gz

config_write <<'END'
interval: 10m
lateness: {event: 0s}
timezone: Europe/London
metrics:
  - {name: lines, event: line}
  - {name: price, event: line, agg: mean}
  - {name: asked, event: line, agg: sum}
  - {name: abroad, event: line, where: [country!=United Kingdom]}
  - {name: export, ratio: abroad / lines}
detectors:
  - {name: lines, metric: lines, resolutions: []}
  - {name: price, metric: price, resolutions: []}
  - {name: asked, metric: asked, resolutions: []}
  - {name: export, metric: export, resolutions: []}
END

# A file for each week, and the counts of lines in ten minutes, by the file alone.
python3 - "$orders" "$E2E" <<'END'
import csv, gzip, sys
from datetime import datetime, timezone
rows = list(csv.DictReader(gzip.open(sys.argv[1], "rt")))
counts, weeks = {}, {}
for row in rows:
    time = datetime.strptime(row["InvoiceDate"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    row["time"] = int(time.timestamp())
    interval = row["time"] // 600
    counts[interval] = counts.get(interval, 0) + 1
rows.sort(key=lambda row: row["time"])
for row in rows:
    weeks.setdefault((row["time"] - rows[0]["time"]) // 604800, []).append(row)
for week, lines in weeks.items():
    with open(f"{sys.argv[2]}/week{week}.csv", "w") as file:
        out = csv.writer(file)
        out.writerow(["time", "price", "country"])
        out.writerows([row["time"], row["UnitPrice"], row["Country"]] for row in lines)
with open(f"{sys.argv[2]}/lines.csv", "w") as file:
    file.write("timestamp,value\n")
    for interval in range(min(counts), max(counts) + 1):
        file.write(f"{interval * 600},{counts.get(interval, 0)}\n")
END

# What the running engine says of its last interval: detector, its start, and the numbers.
last_of() {
	ctl detectors show "$1" --json | jq -c '[.through_ms / 1000 - 600, (.top_slices[0] |
		.expected, .lower, .upper, .score, .onset, .severity)]'
}
# scored MS: all have been scored up to there.
scored() { ctl detectors list --json | jq -es --argjson ms "$1" 'length == 4 and all(.through_ms == $ms)' >/dev/null; }

weird_start
: >"$E2E/seen"
for week in "$E2E"/week*.csv; do
	"$WEIRCTL" import "$week" --socket "$E2E/weir.sock" --event line --value price \
		--dimension country --time time --source orders --quiet >"$E2E/out" || fail "import: $(cat "$E2E/out")"
	last=$(tail -n 1 "$week" | cut -d, -f1)
	wait_for 60 'the week to be scored' scored $(((last / 600 + 1) * 600000))
	for name in lines price asked export; do echo "$name $(last_of "$name")" >>"$E2E/seen"; done
done
weird_stop
"$WEIRCTL" replay "$E2E/data" --compare >"$E2E/out" || fail "replay: $(cat "$E2E/out")"

# Of the file alone; and, for numbers with rounding in them, of what the engine took for the values.
score() { "$WEIRCTL" score "$1" --interval 10m --kind "$2" --timezone Europe/London >"$E2E/$3.scored" || fail "score $1"; }
for name in lines price asked export; do
	"$WEIRCTL" replay "$E2E/data" --scores "$name" >"$E2E/$name.replayed" || fail "replay --scores $name"
done
score "$E2E/lines.csv" count lines
score "$E2E/price.replayed" gauge price
score "$E2E/asked.replayed" sum asked
score "$E2E/export.replayed" ratio export
for name in lines price asked export; do
	cut -d, -f1-9 "$E2E/$name.replayed" | cmp - "$E2E/$name.scored" ||
		fail "$name: replay and score differ: $(cut -d, -f1-9 "$E2E/$name.replayed" | diff - "$E2E/$name.scored" | head -n 4)"
done
[ "$(wc -l <"$E2E/lines.scored")" -gt 3000 ] || fail "few intervals"
grep -q ',1$' "$E2E/lines.scored" || fail "a month of orders without an alarm tests little"
python3 - "$E2E" <<'END' || fail "the running engine and score differ"
import csv, json, sys
scored = {}
for name in ("lines", "price", "asked", "export"):
    for row in csv.DictReader(open(f"{sys.argv[1]}/{name}.scored")):
        scored[name, int(row["timestamp"])] = row
seen = [line.split(" ", 1) for line in open(f"{sys.argv[1]}/seen")]
assert len(seen) >= 16 and len({(name, json.loads(line)[0]) for name, line in seen}) == len(seen), seen
for name, line in seen:
    time, *numbers = json.loads(line)
    row = scored[name, time]
    wanted = [float(row[key]) for key in ("expected", "lower", "upper", "score", "onset", "severity")]
    assert numbers == wanted, (name, time, numbers, wanted)
END
pass
