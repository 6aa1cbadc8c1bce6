#!/usr/bin/env bash
# calendar: what an operator says is to come, each as the README has it: entries, sets, a file of
# iCalendar; an announced rush is no anomaly, the next one is expected to be like it, an unannounced
# one is found; all of it outlives kill -9, and a replay is bit for bit.
# shellcheck disable=SC2119,SC2317
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
# shellcheck source=../support/purchases.sh
. "$(dirname "$0")/../support/purchases.sh"
need jq python3
WEIR_CALENDARS=$(realpath "$(dirname "$0")/../../tools/presets/calendars")
export WEIR_CALENDARS

calendar() {
	local wanted=$1 action=$2
	shift 2
	code "$wanted" "$WEIRCTL" calendar "$action" --socket "$E2E/control.sock" "$@"
}
entries() { ctl calendar --json list "$@" | wc -l; }
found() { ctl anomalies --json --limit 1000 | wc -l; }

watch_orders
weird_start

# Sets: a dry look, all entries at once, and away again.
calendar 0 list --sets
says '^de  *Germany'
calendar 0 list --set de --year 2026
says '^2026-04-03 Fri 00:00 .*Karfreitag .*exclude .*Europe/Berlin'
expect "days of 2026" "$(wc -l <"$E2E/out")" 13
calendar 0 add --set de --slice country=DE --author ann
says '^13 entries of de are in force'
expect "entries" "$(entries)" 13
calendar 0 list
says '1  Neujahr  *exclude  *each 01-01 Europe/Berlin slice=country=DE (set de)  ann 20'
calendar 0 list --year 2027
says '^2027-03-26 Fri 00:00 .*Karfreitag'
calendar 0 remove --set de
expect "entries" "$(entries)" 0
calendar 1 remove --set de
says 'no entry in force is of this set'
expect "entries with those removed" "$(entries --all)" 13

# What is wrong is said, and nothing is in force.
calendar 2 add
calendar 2 remove x
calendar 1 add sale
says 'when is it? from and until, or a date'
calendar 1 add sale --from 2026-01-05 --until 2026-01-05
says 'it ends before it begins'
calendar 1 add sale --date 02-30
says 'there is no such date'
calendar 1 add sale --date 01-01 --effect 'expect:lots'
says 'is one of exclude, expect:+40%'
calendar 1 add sale --date 01-01 --zone Europe/Atlantis
says 'Europe/Atlantis'
calendar 1 add --set atlantis
says 'there is no set "atlantis"'
calendar 1 remove 99
says 'there is no such entry'
expect "entries" "$(entries)" 0

# A file: all of it, or nothing.
cat >"$E2E/plan.ics" <<END
BEGIN:VCALENDAR
BEGIN:VEVENT
SUMMARY:rush
DTSTART:20260105T014000Z
DTEND:20260105T015000Z
END:VEVENT
BEGIN:VEVENT
SUMMARY:Black Friday
DTSTART;VALUE=DATE:20261127
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4FR
END:VEVENT
END:VCALENDAR
END
sed 's/YEARLY/DAILY/' "$E2E/plan.ics" >"$E2E/wrong.ics"
calendar 1 import "$E2E/wrong.ics"
says 'wrong.ics: line 10: RRULE: only FREQ=YEARLY is taken'
calendar 3 import "$E2E/none.ics"
expect "entries" "$(entries)" 0
minutes 0 100 40
play
calendar 0 import "$E2E/plan.ics" --author bob --text 'from marketing'
says '^2 entries of '
calendar 0 list
says 'rush  *exclude  *2026-01-05T01:40Z to 2026-01-05T01:50Z (set plan)  bob .*from marketing'
# Of the second rush, which is like the first; its memory begins now.
calendar 0 add rush --from 2026-01-05T02:20 --for 10m --effect last-year --json
is '.ok and .number > 0'

# The first rush is announced: not a word.
minutes 100 106 200
play
expect "anomalies of an announced rush" "$(found)" 0
weird_kill
weird_start
expect "entries of an engine that was killed" "$(entries)" 3
minutes 106 110 200
minutes 110 140 40
play
expect "anomalies of an announced rush, and behind it" "$(found)" 0
# What it brought is remembered, and expected of the second one.
minutes 140 150 200
minutes 150 175 40
play
expect "anomalies of the second rush" "$(found)" 0
# Nobody has announced this one.
minutes 175 178 200
play
[ "$(found)" -gt 0 ] || fail "an unannounced rush is no anomaly"
minutes 178 190 40
play
weird_stop
replayed
pass
