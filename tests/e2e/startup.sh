#!/usr/bin/env bash
# startup: an engine that cannot run says in one line why, and what to do, and harms nobody.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"

# refused NAME MESSAGE KEY...: with these keys weird ends with 1 and says this.
refused() {
	local name=$1 message=$2 said code
	shift 2
	{
		echo "control_socket: $name.control"
		printf '%s\n' "$@"
	} >"$E2E/$name.yaml"
	said=$(timeout 90 "$WEIRD" --config "$E2E/$name.yaml" 2>&1)
	code=$?
	expect "exit code, $name" "$code" 1
	expect "lines, $name" "$(wc -l <<<"$said")" 1
	[[ $said == *$message* ]] || fail "$name: it said: $said"
}

weird_start
refused second 'another engine runs on' 'data_directory: data' 'socket: second.sock'
refused taken 'another program listens on' 'data_directory: other' 'socket: weir.sock'
refused missing 'does not exist: create it' 'data_directory: other' 'socket: none/weir.sock'
: >"$E2E/file"
refused file 'cannot make the data directory' 'data_directory: file/data' 'socket: x.sock'
refused unwritable 'data directory' 'data_directory: /proc/weir' 'socket: x.sock'
weird_stop

# What a killed engine leaves (its socket, its lock) is in nobody's way.
weird_start
weird_kill
[ -S "$E2E/weir.sock" ] || fail "a killed engine left no socket; this test tests nothing"
weird_start
weird_stop

# unprivileged COMMAND...: root without its right to lock memory and to write everywhere.
unprivileged() {
	if [ "$(id -u)" -eq 0 ]; then
		exec setpriv --bounding-set=-ipc_lock,-dac_override --inh-caps=-ipc_lock,-dac_override "$@"
	else
		exec "$@"
	fi
}
[ "$(id -u)" -ne 0 ] || need setpriv

# A directory that it may not write in.
mkdir "$E2E/sealed" && chmod 0555 "$E2E/sealed"
for directory in sealed sealed/data; do
	printf '%s\n' "data_directory: $directory" 'socket: x.sock' 'control_socket: y.sock' >"$E2E/sealed.yaml"
	said=$(unprivileged timeout 90 "$WEIRD" --config "$E2E/sealed.yaml" 2>&1)
	expect "exit code in a read-only directory" $? 1
	expect "lines in a read-only directory" "$(wc -l <<<"$said")" 1
	[[ $said == *"data directory"*"Permission denied"* ]] || fail "it said: $said"
done

# An io_uring that is asked for by name and is not there.
without=$WEIR_BUILD/tests/e2e/e2e_without
"$without" true || skip "no seccomp here"
printf '%s\n' 'log: {io: uring}' 'data_directory: other' 'socket: x.sock' 'control_socket: y.sock' \
	>"$E2E/uring.yaml"
said=$(timeout 90 "$without" "$WEIRD" --config "$E2E/uring.yaml" 2>&1)
expect "exit code without the wanted io_uring" $? 1
[[ $said == *"log.io is uring, but this machine says"*"set it to auto or pwrite"* ]] ||
	fail "without io_uring it said: $said"
pass
