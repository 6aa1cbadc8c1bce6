#!/usr/bin/env bash
# files: something lies in the data directory that is not what the engine left there. It makes anew
# what the log gives, and keeps each event; or it does not start, names the file and says what to do.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq
count=0
wrong=0

config_write <<'END'
interval: 1s
checkpoint_intervals: 1
log: {segment_bytes: 1MiB, block_bytes: 64KiB}
metrics: [{name: orders, event: purchase}]
END
one_event() { # [NAME]
	"$WEIRCTL" emit --socket "$E2E/weir.sock" --wait --timeout 60s "${1:-purchase}" value=1 >"$E2E/out" 2>&1
}
has_checkpoint() { [ -n "$(ls -A "$E2E/data/checkpoint" 2>/dev/null)" ]; }
weird_start
one_event || fail "no event was taken"
wait_for 60 "a checkpoint" has_checkpoint
weird_stop
mv "$E2E/data" "$E2E/left"
cp -a "$E2E/left" "$E2E/data"
weird_start
weird_kill
mv "$E2E/data" "$E2E/killed"

# refused WORDS: an engine does not start, and these say why.
refused() {
	local said code
	said=$(timeout 60 "$WEIRD" --config "$E2E/weir.yaml" 2>&1)
	code=$?
	[[ $code -eq 1 && $said == *"$1"* && $said != *ready:* ]] && return
	echo "it ended with $code and said: $said"
	return 1
}
# kept WORD: an engine starts, says this, and has the event of before, and another one.
kept() {
	: >"$WEIRD_LOG"
	weird_start
	one_event || cat "$E2E/out"
	weird_stop
	grep -q -- "$1" "$WEIRD_LOG" || { echo "no word of \"$1\": $(cat "$WEIRD_LOG")" && return 1; }
	"$WEIRCTL" verify "$E2E/data" --json >"$E2E/out"
	jq -e '.events == 2' "$E2E/out" >/dev/null || { cat "$E2E/out" && return 1; }
}
# row HOW WHAT COMMAND...: after this command the engine is `refused` or `kept` with these words.
row() {
	local how=$1 what=$2
	shift 2
	: >"$E2E/ahead"
	count=$((count + 1))
	rm -rf "$E2E/data"
	cp -a "$E2E/left" "$E2E/data"
	(cd "$E2E/data" && "$@") || fail "$*"
	"$how" "$what" && return
	wrong=$((wrong + 1))
	echo "FAILED: after $*: wanted $how with \"$what\""
}
# holds EVENTS: these are the names in the log, and a replay of it gives what the engine has found.
holds() {
	"$WEIRCTL" dump "$E2E/data" --json >"$E2E/out" 2>"$E2E/err"
	[ "$(jq -r .event "$E2E/out" | paste -sd' ')" = "$1" ] || { cat "$E2E/out" && return 1; }
	"$WEIRCTL" replay "$E2E/data" --compare --json >"$E2E/out" 2>&1 || { cat "$E2E/out" && return 1; }
}
# verified CODE FILTER: how verify of the directory ends, and what holds of its answer.
verified() {
	local code
	"$WEIRCTL" verify "$E2E/data" --json >"$E2E/out"
	code=$?
	[ "$code" -eq "$1" ] && jq -e "$2" "$E2E/out" >/dev/null && return
	echo "verify ended with $code: $(cat "$E2E/out")"
	return 1
}
# More of the same, and again without what the log gives.
goes_on() { # EVENT
	: >"$WEIRD_LOG"
	weird_start
	one_event "$1" || cat "$E2E/out"
	weird_stop
	! grep 'were kept' "$WEIRD_LOG" || return 1 # it says that once
	rm "$E2E"/data/{weir,history}.db*
	weird_start
	weird_stop
}
# The first number that the files have which are not of before.
first_new() {
	local file
	for file in "$E2E"/data/lane-00/*.wseg; do
		grep -qx "${file##*/}" "$E2E/before" || od -A n -t u8 -j 16 -N 8 "$file"
	done | sort -n | head -n 1 | tr -d ' '
}
# loses WORD CODE FILTER: an engine starts, says this, and that there is a gap; it goes on behind what
# was kept, with rings and series of its own, and the next start has nothing to say. With this code
# and answer `verify` ends.
loses() {
	local said
	ls "$E2E/data/lane-00" >"$E2E/before" 2>/dev/null
	: >"$WEIRD_LOG"
	weird_start
	one_event page_view || cat "$E2E/out"
	"$WEIRCTL" status --socket "$E2E/control.sock" --json >"$E2E/status"
	weird_stop
	said=$(grep 'were kept' "$WEIRD_LOG")
	grep -q -- "$1.*stays missing .*put no single files back .*copy of the whole" <<<"$said" ||
		{ echo "no word of \"$1\": $(cat "$WEIRD_LOG")" && return 1; }
	! grep -F -f "$E2E/ahead" <<<"$said" || { echo "never had a block: $(cat "$E2E/ahead")" && return 1; }
	grep -q '; 0 torn bytes, 1 gaps' "$E2E/status" || { cat "$E2E/status" && return 1; }
	[[ $said =~ blocks\ [0-9]+\ to\ ([0-9]+)\  ]]
	expect "first number behind ${BASH_REMATCH[1]}" "$(first_new)" $((BASH_REMATCH[1] + 1))
	verified "$2" "$3" && holds page_view && goes_on page_view &&
		verified "$2" "$3" && holds 'page_view page_view'
}
# Of a lane that has nothing left, nobody misses a block; of one that was cut off, those are known.
lost() { loses "$1" 0 '.ok and .gaps == 0'; }
cut_off() {
	loses "$1" 1 '(.ok | not) and .gaps == 1 and
		(.findings[0] | test("lane-00: blocks [0-9]+ to [0-9]+ are missing"))'
}
# A control log that has lost its records: what its readers need of them is in it again.
told_again() {
	kept "$1" || return 1
	"$WEIRCTL" replay "$E2E/data" >"$E2E/out" 2>&1 || { cat "$E2E/out" && return 1; }
	goes_on purchase || return 1
	"$WEIRCTL" dump "$E2E/data" --json >"$E2E/out" 2>"$E2E/err"
	expect "sources of events" "$(jq -r .source "$E2E/out" | paste -sd' ')" 'live live live'
}
# All is there again where a copy of all is put in place of all.
copied() {
	lost "$1" || return 1
	rm -rf "$E2E/data"
	cp -a "$E2E/left" "$E2E/data"
	verified 0 '.ok and .events == 1 and .gaps == 0' && holds purchase && goes_on page_view &&
		verified 0 '.ok and .events == 2 and .gaps == 0' && holds 'purchase page_view'
}
garbage() { for file in "$@"; do head -c 3000 /dev/urandom >"$file"; done; }
empty() { : >"$1"; }
each_of() { # PATTERN COMMAND
	local file
	while read -r file; do "$2" "$file"; done < <(compgen -G "$1")
}
cut() { truncate -s 12288 "$1"; }
directory() { rm -rf "$1" && mkdir "$1"; }
file() { rm -rf "$1" && echo x >"$1"; }
gone() { rm -r "$1"; }
last_of() { "$2" "$(compgen -G "$1" | sort | tail -n 1)"; } # PATTERN COMMAND
# As after a kill: the next files are there, one of them not written at all. The others are lost.
begun() { # COMMAND
	local file
	rm -rf ./* && cp -a "$E2E/killed/." . && truncate -s 1MiB lane-00/00000000000000aa.wseg
	for file in lane-00/*.wseg; do
		if [ "$(od -A n -c -N 4 "$file" | tr -d ' ')" = WBLK ]; then
			"$1" "$file"
		else
			echo "$file" >>"$E2E/ahead"
		fi
	done
	[ "$(wc -l <"$E2E/ahead")" -eq 2 ]
}
strays() {
	mkdir strays lane-00/stray lane-77 control/segments &&
		echo x | tee stray lane-00/note checkpoint/note lane-99 >/dev/null
}
new_name='put it back, or move it away: the store gets another name'
put_back='put back what the engine left there'

row kept '1 events' true
row refused "store.id is damaged: 32 hexadecimal digits belong there; $new_name" garbage store.id
row refused "store.id is damaged: 32 hexadecimal digits belong there; $new_name" empty store.id
row refused "store.id: Is a directory; $new_name" directory store.id
row kept 'history.db was damaged, or of another store' gone store.id
row kept 'history.db was damaged, or of another store' sed -i 's/./0/g' store.id
row refused 'LOCK: Is a directory; move it away' directory LOCK
row kept '1 events' garbage LOCK
row kept '1 events' gone LOCK
row refused 'weir.db: file is not a database; it is damaged or no store of weir: move it away' garbage weir.db
row refused 'weir.db: Is a directory; a directory is in its place: move it away' directory weir.db
row kept 'since close 0' empty weir.db
row kept 'since close 0' gone weir.db
row kept 'moved .*history.db aside' garbage history.db
row refused 'or move it away to begin a new one' directory history.db
row kept 'since close 0' empty history.db
row kept 'since close 0' gone history.db
row kept '1 events' garbage weir.db-wal weir.db-shm history.db-wal history.db-shm
row refused 'a directory is in its place: move it away' directory weir.db-wal
row refused "lane-00: Not a directory; $put_back" file lane-00
row refused "control: Not a directory; $put_back" file control
row refused "Not a directory; $put_back" file checkpoint
row refused 'there is no control log beside these lanes or checkpoints: put the directory control back' gone control
row kept 'since close 0' gone checkpoint
row kept 'going on from close' last_of 'checkpoint/*' garbage
row kept 'going on from close' last_of 'checkpoint/*' empty
row kept 'going on from close' last_of 'checkpoint/*' directory
row refused "Is a directory; $put_back" last_of 'lane-00/*.wseg' directory
row refused "Is a directory; $put_back" last_of 'control/*.wseg' directory
row lost 'lane-00: blocks 1 to [0-9]* .*no block can be read in .*wseg' each_of 'lane-00/*.wseg' garbage
row lost 'lane-00: blocks 1 to [0-9]* .*no block can be read in .*wseg' each_of 'lane-00/*.wseg' empty
row lost 'lane-00: blocks 1 to [0-9]* .*its directory is not there' gone lane-00
row lost 'lane-00: blocks 1 to [0-9]* .*it has no file with a block)' each_of 'lane-00/*.wseg' gone
row lost 'lane-00: blocks 1 to [0-9]* .*it has no file with a block)' begun gone
row lost 'lane-00: blocks 1 to [0-9]* .*no block can be read in .*wseg' begun garbage
row cut_off 'lane-00: blocks [0-9]* to [0-9]* .*its newest file is .*wseg)' last_of 'lane-00/*.wseg' cut
row copied 'lane-00: blocks 1 to [0-9]* .*its directory is not there' gone lane-00
row told_again 'control: blocks 1 to [0-9]* .*no block can be read in control/.*wseg' last_of 'control/*.wseg' garbage
row kept '1 events' strays
row kept '1 events' mkdir -m 0700 NOT-A-MARK
row refused 'holds a log' empty NOT-KEPT
proof broken-files "$count" "$wrong"
pass
