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
one_event() { "$WEIRCTL" emit --socket "$E2E/weir.sock" --wait --timeout 60s purchase value=1 >"$E2E/out" 2>&1; }
has_checkpoint() { [ -n "$(ls -A "$E2E/data/checkpoint" 2>/dev/null)" ]; }
weird_start
one_event || fail "no event was taken"
wait_for 60 "a checkpoint" has_checkpoint
weird_stop
mv "$E2E/data" "$E2E/left"

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
	count=$((count + 1))
	rm -rf "$E2E/data"
	cp -a "$E2E/left" "$E2E/data"
	(cd "$E2E/data" && "$@") || fail "$*"
	"$how" "$what" && return
	wrong=$((wrong + 1))
	echo "FAILED: after $*: wanted $how with \"$what\""
}
# lost WORD: an engine starts, says this, and that there is a gap; it goes on with numbers of its
# own, the next start has nothing to say, and what is put back later is read again.
lost() {
	: >"$WEIRD_LOG"
	weird_start
	one_event || cat "$E2E/out"
	"$WEIRCTL" status --socket "$E2E/control.sock" --json >"$E2E/status"
	weird_stop
	grep -q -- "$1" "$WEIRD_LOG" || { echo "no word of \"$1\": $(cat "$WEIRD_LOG")" && return 1; }
	grep -q '; 0 torn bytes, 1 gaps' "$E2E/status" || { cat "$E2E/status" && return 1; }
	: >"$WEIRD_LOG"
	weird_start
	weird_stop
	grep -q '; 0 torn bytes, 0 gaps' "$WEIRD_LOG" || { cat "$WEIRD_LOG" && return 1; }
	cp -a "$E2E"/left/lane-00/*.wseg "$E2E/data/lane-00/" || return 1
	"$WEIRCTL" verify "$E2E/data" --json >"$E2E/out"
	jq -e '.events == 2' "$E2E/out" >/dev/null || { cat "$E2E/out" && return 1; }
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
row lost 'lane-00: blocks 1 to [0-9]* .*it has no file' each_of 'lane-00/*.wseg' gone
row lost 'lane-00: blocks [0-9]* to [0-9]* .*it ends in .*wseg' last_of 'lane-00/*.wseg' cut
row kept 'control: blocks 1 to [0-9]* .*no block can be read in control/.*wseg' last_of 'control/*.wseg' garbage
row kept '1 events' strays
row kept '1 events' mkdir -m 0700 NOT-A-MARK
row refused 'holds a log' empty NOT-KEPT
proof broken-files "$count" "$wrong"
pass
