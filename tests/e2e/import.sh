#!/usr/bin/env bash
# import: recorded events and sums of them from CSV and JSON lines; broken rows; files that are
# unpacked, from a pipe, out of order; and that nothing is sent where something is wrong.
# shellcheck disable=SC2119
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq python3 gzip

config_write <<'END'
interval: 1h
lateness: {event: 1h}
metrics:
  - {name: orders, event: purchase, by: [country]}
  - {name: revenue, event: purchase, agg: sum}
  - {name: basket, event: purchase, agg: mean}
  - {name: sessions, event: session_start, by: [channel]}
  - {name: conversion, ratio: orders / sessions}
END

socket=(--socket "$E2E/weir.sock")

# import WANTED OPTION...: its exit code; what it says is in $E2E/out and $E2E/err.
import() {
	local wanted=$1
	shift
	timeout 60 "$WEIRCTL" import "${socket[@]}" --json "$@" >"$E2E/out" 2>"$E2E/err"
	expect "exit code of import $*" $? "$wanted"
}

# sums KEYS [OPTION...]: of the log, as "key,...,count,sum" lines.
sums() {
	local keys=$1
	shift
	"$WEIRCTL" dump "$E2E/data" --sum "$keys" --csv "$@" | tail -n +2
}

python3 - "$E2E" <<'END'
import json, random, sys
from datetime import datetime, timedelta
here = sys.argv[1]
random.seed(7)
begin = datetime(2024, 3, 1)
rows = []
for i in range(50000):
    rows.append((begin + timedelta(seconds=13 * i), random.choice(['DE', 'IT', 'La "Réunion", FR']),
                 random.randrange(100, 9999)))
def quoted(text):
    return '"' + text.replace('"', '""') + '"' if '"' in text or ',' in text else text
with open(here + '/orders.csv', 'w', newline='') as f:
    f.write('note,date,land,total\r\n')
    for at, land, cents in rows:
        f.write('"a\nb",%s,%s,%.2f\r\n' % (at.strftime('%d/%m/%Y %H:%M:%S'), quoted(land), cents / 100))
random.shuffle(rows)
with open(here + '/orders.jsonl', 'w') as f:
    for at, land, cents in rows:
        f.write(json.dumps({'at': (at - datetime(1970, 1, 1)).total_seconds(), 'geo': {'land': land},
                            'name': 'purchase', 'total': cents / 100}) + '\n')
with open(here + '/sums', 'w') as f:
    for land in sorted({land for _, land, _ in rows}):
        of = [cents for _, l, cents in rows if l == land]
        f.write('%s,%d,%.2f\n' % (quoted(land), len(of), sum(of) / 100))
END

# Without an engine: reading is possible, sending is not.
orders=("$E2E/orders.csv" --event purchase --time date --time-format '%d/%m/%Y %H:%M:%S'
	--value total --dimension country=land)
import 0 "${orders[@]}" --dry-run
is '.ok and .rows == 50000 and .events == 50000 and .series == 3 and .published == 0'
is '.first_ms == 1709251200000 and .last_ms == 1709251200000 + 13000 * 49999'
import 3 "${orders[@]}" --timeout 200ms
says 'is weird running?'

weird_start
import 0 "${orders[@]}"
is '.ok and .events == 50000 and .published == 50000 and .persisted == 50000 and .dropped == 0'
is '.attempted == 50000 and .rejected == 0'

# The same, shuffled, as JSON lines, packed; as a source of its own; its event named by the row.
gzip -k "$E2E/orders.jsonl"
import 0 "$E2E/orders.jsonl.gz" --source packed --event-column name --time at --value total \
	--dimension country=geo.land
is '.ok and .persisted == 50000 and .series == 3'

# And from a pipe.
"$WEIRCTL" import - --format jsonl "${socket[@]}" --source piped --event purchase --time at \
	--value total --dimension country=geo.land --json <"$E2E/orders.jsonl" >"$E2E/out" || fail "a pipe"
is '.persisted == 50000'

# Sums of events: one row is several events, an empty field is none.
cat >"$E2E/days.csv" <<'END'
day,channel,sessions,orders,revenue
20240301,cpc,1200,31,1812.50
20240301,email,300,,
20240302,cpc,1100,28,1601
END
import 0 "$E2E/days.csv" --source days --time day --time-format %Y%m%d --dimension channel \
	--event session_start --aggregate count=sessions \
	--event purchase --aggregate count=orders,sum=revenue
is '.ok and .rows == 3 and .events == 7 and .series == 4'

# One event for each row, which names it: each name has columns of its own.
cat >"$E2E/named.csv" <<'END'
time,name,total,load_time
2024-03-01T00:00:01Z,purchase,12.5,
2024-03-01T00:00:02Z,page_view,,80
2024-03-01T00:00:03Z,search,,
END
import 0 "$E2E/named.csv" --source named --event-column name --event purchase --value total \
	--event page_view --field ms --value load_time
is '.ok and .rows == 3 and .events == 3 and .series == 3'
"$WEIRCTL" dump "$E2E/data" --source named --csv | cut -d, -f6,7,9 | sort >"$E2E/named"
expect "what each is worth" "$(paste -sd ' ' "$E2E/named")" \
	'event,field,value page_view,ms,80 purchase,value,12.5 search,value,1'

# Metrics take such sums like the events that they stand for.
# day METRIC: its value on the first day, as the history has it; with --slice of one channel.
day() {
	ctl history --source days --since 2024-03-01 --until 2024-03-02 --step 1d --csv "$@" |
		tail -n 1 | cut -d , -f 2
}
counted() { [ "$(day sessions)" = 1500 ]; }
wait_for 60 'the sums of the first day in the history' counted
expect 'sessions of a channel' "$(day sessions --slice channel=email)" 300
expect 'orders' "$(day orders)" 31
expect 'revenue' "$(day revenue)" 1812.5
expect 'the mean order' "$(day basket | cut -c 1-7)" 58.4677
expect 'orders for each session' "$(day conversion | cut -c 1-7)" 0.02066

# A broken row is named by its line, and nothing was sent; or it is counted, as asked.
printf 'time,v\n1700000000,1\n1700000001,x\n1700000002,3,4\n1700000003,4\n' >"$E2E/broken.csv"
import 1 "$E2E/broken.csv" --source broken --event purchase --value v
says "broken.csv:3: \"x\" in column \"v\" is no number; nothing was sent"
is '(.ok | not) and .published == 0'
import 0 "$E2E/broken.csv" --source broken --event purchase --value v --bad-rows count
says 'broken.csv:4: 3 columns, but the first line has 2'
is '.ok and .rows == 4 and .bad_rows == 2 and .persisted == 2'
printf 'time,n\n1700000000,1\n1700000001,-3\n' >"$E2E/less.csv"
import 1 "$E2E/less.csv" --source broken --event purchase --aggregate count=n
says 'less.csv:3: -3 in column "n" is no count of events; nothing was sent'

# Usage.
import 2 "$E2E/days.csv"
says 'which event?'
import 2 "$E2E/days.csv" --event purchase --aggregate median=orders
import 2 "$E2E/days.csv" --value orders --event purchase
says 'come behind the --event'
import 2 "$E2E/days.csv" --event purchase --time day --time-format yesterday
import 2 "$E2E/days.csv" --event purchase --time day --zone Europe/Atlantis
import 1 "$E2E/days.csv" --event purchase
says 'there is no column "time"; there are day, channel, sessions'
import 3 "$E2E/nowhere.csv" --event purchase

weird_stop
for source in import packed piped; do
	sums country --source "$source" >"$E2E/found"
	cmp "$E2E/sums" "$E2E/found" || fail "the sums of source $source are not those of the file"
done
expect 'sums of the days' "$(sums event,field,channel --source days | LC_ALL=C sort)" \
	"purchase,value:count,cpc,2,59
purchase,value:sum,cpc,2,3413.5
session_start,value:count,cpc,2,2300
session_start,value:count,email,1,300"
"$WEIRCTL" verify "$E2E/data" >/dev/null || fail "the log is not whole"
"$WEIRCTL" replay "$E2E/data" --compare >/dev/null || fail "replay finds other anomalies"
pass
