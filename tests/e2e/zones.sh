#!/usr/bin/env bash
# zones: a shop in London over the change of March 2024: its days are those of its clock, of 23
# hours too; what was said once is found again without a database of time zones; other rules of the
# same zone are seen by diff and reload; an interval in which nothing came may be missing.
# shellcheck disable=SC2119
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq python3
[ -e /usr/share/zoneinfo/Europe/London ] || skip "no time zone database (Debian: tzdata)"

says() { grep -qF -- "$1" "$E2E/out" || fail "no \"$1\" in $(cat "$E2E/out")"; }
config() {
	config_write <<END
interval: 10m
lateness: {event: 10m}
timezone: $1
metrics:
  - {name: orders, event: purchase}
  - {name: basket, event: purchase, agg: sum, empty: missing}
detectors:
  - {name: good-days, metric: orders, kind: rule, above: 900, frequency: 1d}
  - {name: good-days-of-utc, metric: orders, kind: rule, above: 900, frequency: 1d, timezone: UTC}
  - {name: no-baskets, metric: basket, kind: rule, below: 1, recover: 1}
  - {name: no-orders, metric: orders, kind: rule, below: 1, recover: 1}
END
}

# fired DETECTOR: the ends of the periods in which it fired (their last interval begins), and what
# was seen in them.
fired() {
	jq -r --arg name "$1" 'select(.data.state == "firing" and .data.detector == $name) |
		"\(.data.interval_start[:16]) \(.data.observed)"' "$E2E/revisions" | paste -sd' '
}

# What is wrong is said before anything is read.
config Europe/Londn
"$WEIRD" --check-config --config "$E2E/weir.yaml" >"$E2E/out" 2>&1
expect "exit code of an unknown zone" $? 78
says 'timezone: there is no time zone "Europe/Londn"; write UTC, or a name as Europe/London'
config Europe/London
TZDIR=/nonexistent "$WEIRD" --check-config --config "$E2E/weir.yaml" >"$E2E/out" 2>&1
expect "exit code without a database" $? 78
says 'there is no time zone database in /nonexistent; install it (Debian: tzdata), or write UTC'

# Open from 8 to 22 by the wall, from March 25 to April 10; summer time begins on the 31st. Twice 500
# orders come at 00:20: at first that is the same day by UTC, then it is the day before.
python3 - "$E2E/orders.csv" <<'END'
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo
london = ZoneInfo('Europe/London')
at, end = datetime(2024, 3, 25, tzinfo=timezone.utc), datetime(2024, 4, 10, tzinfo=timezone.utc)
with open(sys.argv[1], 'w') as f:
    f.write('time,value\n')
    while at < end:
        wall = at.astimezone(london)
        orders = 6 if 8 <= wall.hour < 22 else 0
        if (wall.month, wall.day, wall.hour, wall.minute) in ((3, 28, 0, 20), (4, 4, 0, 20)):
            orders = 500
        for i in range(orders):
            f.write('%d,10\n' % (at.timestamp() + i))
        at += timedelta(minutes=10)
END

# A database of its own, which gets newer rules later.
mkdir -p "$E2E/zones/Europe" "$E2E/zones/Etc"
cp /usr/share/zoneinfo/Europe/London "$E2E/zones/Europe/London"
cp /usr/share/zoneinfo/Etc/UTC "$E2E/zones/Etc/UTC"
export TZDIR=$E2E/zones
weird_start
timeout 60 "$WEIRCTL" import "$E2E/orders.csv" --socket "$E2E/weir.sock" --source import --event purchase \
	--time time --value value >"$E2E/out" 2>&1 || fail "import: $(cat "$E2E/out")"
wait_for 60 "the last interval to be closed" closed import 1712696400000
"$WEIRCTL" anomalies "$E2E/data" --revisions --limit 100000 --json >"$E2E/revisions"
expect "days with more than 900 orders" "$(fired good-days)" "2024-03-28T23:50 1004 2024-04-04T22:50 1004"
expect "the same by UTC" "$(fired good-days-of-utc)" "2024-03-28T23:50 1004 2024-04-03T23:50 1004"
expect "intervals without baskets, which are missing" "$(fired no-baskets)" ""
[[ $(fired no-orders) == *"2024-03-30T22:00 0 2024-03-31T21:00 0"* ]] ||
	fail "intervals without orders, which are zero: $(fired no-orders)"

# What is shown is what was written; what differs is nothing, until the rules do.
ctl config show >"$E2E/out"
cmp "$E2E/out" "$E2E/weir.yaml" || fail "config show is not the file"
ctl detectors show good-days >"$E2E/out" || fail "detectors: $(cat "$E2E/out")"
says 'Europe/London'
ctl config diff "$E2E/weir.yaml" >"$E2E/out" || fail "it differs from itself: $(cat "$E2E/out")"
cp /usr/share/zoneinfo/Europe/Lisbon "$E2E/zones/Europe/London"
ctl config diff "$E2E/weir.yaml" >"$E2E/out"
expect "exit code of a diff" $? 1
says 'zones.Europe/London'
expect "differences" "$(wc -l <"$E2E/out")" 1
ctl reload >"$E2E/out" 2>&1 || fail "reload: $(cat "$E2E/out")"
says 'zones.Europe/London'
ctl config diff "$E2E/weir.yaml" >"$E2E/out" || fail "a reload changed nothing: $(cat "$E2E/out")"

# A zone that is not there leaves the engine as it is.
config Europe/Lisbon
ctl reload >"$E2E/out" 2>&1 && fail "a reload with an unknown zone"
says 'timezone: there is no time zone "Europe/Lisbon"'
config Europe/London
weird_stop
TZDIR=/nonexistent replayed

# A kill, and an engine on the machine's own rules, which are the older ones again.
unset TZDIR
weird_start
weird_kill
weird_start
ctl config diff "$E2E/weir.yaml" >"$E2E/out" || fail "after a start it differs: $(cat "$E2E/out")"
weird_stop
TZDIR=/nonexistent replayed
pass
