#!/usr/bin/env bash
# hardening: directories and files that others could change are not trusted: the engine says which,
# and what to do, and touches nothing. Links of the engine's own user are followed.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"

root=
[ "$(id -u)" -ne 0 ] || root=1
umask 022
count=0
wrong=0

# What an engine leaves behind, for each row again.
small='log: {segment_bytes: 1MiB, block_bytes: 64KiB}'
config_write <<<"$small"
weird_start
"$WEIRCTL" emit --socket "$E2E/weir.sock" --wait purchase value=1 >/dev/null || fail "no event was taken"
weird_stop
mv "$E2E/data" "$E2E/left"
echo secret >"$E2E/elsewhere"
mkdir "$E2E/run"
printf '%s\n' 'data_directory: data' 'socket: run/weir.sock' 'control_socket: run/control.sock' "$small" >"$E2E/weir.yaml"

# row NAME WANTED COMMAND...: after this command, an engine says WANTED and ends with 1; with the
# WANTED "starts" it starts.
row() {
	local name=$1 wanted=$2 code said left=600
	shift 2
	count=$((count + 1))
	rm -rf "$E2E/data" "$E2E/run" "$E2E/other"
	cp -a "$E2E/left" "$E2E/data"
	mkdir "$E2E/run"
	(cd "$E2E" && "$@") || fail "$name: $*"
	if [ "$wanted" = starts ]; then
		# Before it starts: what the last one said is no word of this one.
		: >"$WEIRD_LOG"
		"$WEIRD" --config "$E2E/weir.yaml" >>"$WEIRD_LOG" 2>&1 &
		WEIRD_PID=$!
		until grep -q 'ready: producers' "$WEIRD_LOG" || ! runs "$WEIRD_PID" || [ $left = 0 ]; do
			left=$((left - 1))
			sleep 0.05
		done
		said=$(cat "$WEIRD_LOG")
		stop_pid "$WEIRD_PID" TERM 60
		code=$?
		WEIRD_PID=
		[[ $said == *ready:* && $code -eq 0 ]] && return
	else
		said=$(timeout 60 "$WEIRD" --config "$E2E/weir.yaml" 2>&1)
		code=$?
		[[ $code -eq 1 && $said == *"$wanted"* && $said != *ready:* ]] &&
			[ "$(cat "$E2E/elsewhere")" = secret ] && return
	fi
	wrong=$((wrong + 1))
	echo "FAILED: $name: wanted \"$wanted\", it ended with $code and said: $said"
}
link() { mv "$1" "$2" && ln -s "$PWD/$2" "$1"; }
link_of() { link "$2" "$3" && chown -h "$1" "$2"; }
replaced() { rm -rf "$1" && ln -s "$PWD/elsewhere" "$1"; }
segment() { # COMMAND...: on the lane's first segment
	"$@" "$(find data/lane-00 -name '*.wseg' | sort | head -n 1)"
}
of_nobody() { chown nobody "$1"; }

row untouched starts true
row data-for-all 'is writable by all' chmod 0777 data
row data-for-all-sticky 'is writable by all' chmod 1777 data
row data-for-group 'is writable by its group' chmod 0770 data
row data-own-link starts link data other
row lane-own-link 'Too many levels of symbolic links' link data/lane-00 other
row lane-for-all 'lane-00 is writable by all' chmod 0777 data/lane-00
row lane-for-group 'lane-00 is writable by its group' chmod 0775 data/lane-00
row control-for-all 'control is writable by all' chmod 0777 data/control
row checkpoint-for-all 'checkpoint is writable by all' mkdir -m 0777 data/checkpoint
row lock-for-all 'LOCK is writable by all' chmod 0666 data/LOCK
row store-for-all 'weir.db is writable by all' chmod 0666 data/weir.db
row store-for-group 'weir.db is writable by its group' chmod 0660 data/weir.db
row history-for-all 'history.db is writable by all' chmod 0666 data/history.db
row name-for-all 'store.id is writable by all' chmod 0666 data/store.id
row lock-link 'Too many levels of symbolic links' replaced data/LOCK
row name-link 'Too many levels of symbolic links' replaced data/store.id
row segment-link 'Too many levels of symbolic links' segment replaced
row socket-for-all "others could take the socket's place" chmod 0777 run
row socket-sticky starts chmod 1777 run
row socket-own-link starts link run other
if [ -n "$root" ]; then
	row data-of-another 'data belongs to another user' of_nobody data
	row data-link-of-another "is another user's symbolic link" link_of nobody data other
	row lane-of-another 'lane-00 belongs to another user' of_nobody data/lane-00
	row lane-link-of-another "lane-00 is another user's symbolic link" link_of nobody data/lane-00 other
	row control-of-another 'control belongs to another user' of_nobody data/control
	row lock-of-another 'LOCK belongs to another user' of_nobody data/LOCK
	row store-of-another 'weir.db belongs to another user' of_nobody data/weir.db
	row store-link-of-another "weir.db is another user's symbolic link" link_of nobody data/weir.db other
	row name-of-another 'store.id belongs to another user' of_nobody data/store.id
	row socket-of-another "others could take the socket's place" of_nobody run
	row socket-link-of-another "others could take the socket's place" link_of nobody run other
fi

# A configuration that others may change is told of.
rm -rf "$E2E/data" "$E2E/run" "$E2E/other"
mkdir "$E2E/run"
chmod 0666 "$E2E/weir.yaml"
weird_start
grep -q 'weir.yaml is writable by all: others can change what this engine does' "$WEIRD_LOG" ||
	wrong=$((wrong + 1))
count=$((count + 1))
weird_stop
chmod 0644 "$E2E/weir.yaml"
weird_start
! grep -q 'others can change' "$WEIRD_LOG" || wrong=$((wrong + 1))
weird_stop
proof directory-table "$count" "$wrong"
pass
