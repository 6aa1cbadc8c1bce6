#!/usr/bin/env bash
# service: the units as they are installed. systemd finds nothing wrong with them, their sandbox is
# as tight as is said, and the engine makes no system call that it forbids; readiness, watchdog and
# an engine that hangs, against a service manager of the test's own.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need meson python3 curl

root=$E2E/root
DESTDIR=$root meson install -C "$WEIR_BUILD" --no-rebuild >"$E2E/install.log" 2>&1 ||
	fail "meson install: $(tail -n 3 "$E2E/install.log")"
unit=$(find "$root" -name weird.service)
[ -n "$unit" ] || fail "no weird.service was installed"
shipped=$(find "$root" -path '*share/weir/weir.yaml')
"$WEIRD" --check-config --config "$shipped" >"$E2E/out" 2>&1 || fail "$shipped: $(cat "$E2E/out")"
program=$(sed -n 's/^ExecStart=\([^ ]*\) .*/\1/p' "$unit")
[ -x "$root$program" ] || fail "the unit starts $program, which is not installed"

if command -v systemd-analyze >/dev/null; then
	said=$(systemd-analyze security --offline=true --threshold=13 "$unit" 2>&1) ||
		fail "more than 1.3 of exposure: $said"
	# It looks for programs and manual pages where they are not yet.
	sed "s|=$program|=$root$program|;s|=${program%/*}/weirctl|=$root${program%/*}/weirctl|" "$unit" \
		>"$E2E/weird.service"
	said=$(systemd-analyze verify --man=no "$E2E/weird.service" 2>&1 | grep weird)
	expect "what systemd says of the unit" "$said" ""
	if [ "$(id -u)" -eq 0 ] && command -v systemd-sysusers systemd-tmpfiles >/dev/null; then
		mkdir -p "$root/etc"
		systemd-sysusers --root="$root" "$(find "$root" -path '*sysusers.d/weir.conf')" >"$E2E/out" 2>&1 ||
			fail "systemd-sysusers: $(cat "$E2E/out")"
		grep -q '^weir:' "$root/etc/passwd" || fail "there is no user weir"
		systemd-tmpfiles --root="$root" --create \
			"$(find "$root" -path '*tmpfiles.d/weir.conf')" >"$E2E/out" 2>&1
		diff "$shipped" "$root/etc/weir/weir.yaml" || fail "no first configuration: $(cat "$E2E/out")"
	fi
fi

# The console's unit, where it is built: the same.
console_unit=$(find "$root" -name weir-console.service)
console=$WEIR_BUILD/tools/console/weir-console
[ ! -x "$console" ] || [ -n "$console_unit" ] || fail "no weir-console.service was installed"
if [ -n "$console_unit" ] && command -v systemd-analyze >/dev/null; then
	said=$(systemd-analyze security --offline=true --threshold=13 "$console_unit" 2>&1) ||
		fail "more than 1.3 of exposure: $said"
	# The socket that the help names lies where the unit may write.
	own=$("$console" --help | sed -n 's|.*unix:/run/\([a-z-]*\)/.*|\1|p')
	expect "the directory of the help's socket" "$own" "$(sed -n 's/^RuntimeDirectory=//p' "$console_unit")"
	sed "s|=${program%/*}/|=$root${program%/*}/|" "$console_unit" >"$E2E/weir-console.service"
	said=$(systemd-analyze verify --man=no "$E2E/weir-console.service" 2>&1 | grep weir-console)
	expect "what systemd says of the console's unit" "$said" ""
	if [ -e "$root/etc/passwd" ]; then
		systemd-sysusers --root="$root" "$(find "$root" -path '*sysusers.d/weir-console.conf')" \
			>"$E2E/out" 2>&1 || fail "systemd-sysusers: $(cat "$E2E/out")"
		grep -q '^weir:.*weir-console' "$root/etc/group" ||
			fail "weir-console is not in the group weir"
	fi
fi

# Every system call of a life with events, an operator's question and a scrape is on the list.
# set_of NAME: what systemd means by @NAME.
set_of() {
	systemd-analyze syscall-filter "$1" | sed 's/#.*//;s/^ *//' | while read -r name; do
		case $name in
		'' | "$1") ;;
		@*) set_of "$name" ;;
		*) echo "$name" ;;
		esac
	done
}
# calls_of: the calls of a filter's line, sorted.
calls_of() {
	tr ' ' '\n' | while read -r word; do
		case $word in
		@*) set_of "$word" ;;
		*) echo "$word" ;;
		esac
	done | sort -u
}
if command -v strace systemd-analyze >/dev/null && strace -o /dev/null true 2>/dev/null; then
	# lists UNIT: what it allows and forbids. A call that is allowed by a later line is.
	lists() {
		sed -n 's/^SystemCallFilter=\([^~]\)/\1/p' "$1" | calls_of >"$E2E/allowed"
		sed -n 's/^SystemCallFilter=~//p' "$1" | calls_of >"$E2E/forbidden.all"
		sed -n '/^SystemCallFilter=~/,$s/^SystemCallFilter=\([^~]\)/\1/p' "$1" | calls_of >"$E2E/again"
		comm -23 "$E2E/forbidden.all" "$E2E/again" >"$E2E/forbidden"
		[ "$(wc -l <"$E2E/allowed")" -gt 200 ] || fail "the filter has $(wc -l <"$E2E/allowed") calls"
	}
	# judge: what strace saw keeps to them. As root, which a unit's process is not, SQLite gives its
	# files to their directory's owner.
	judge() {
		sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' "$E2E/calls" | sort -u |
			grep -vxE 'execve|exit_group|exit|fchown' >"$E2E/called"
		[ "$(wc -l <"$E2E/called")" -gt 40 ] || fail "strace saw $(wc -l <"$E2E/called") calls only"
		expect "calls outside the unit's filter" \
			"$(comm -23 "$E2E/called" "$E2E/allowed" | paste -sd ' ')" ""
		expect "calls that the unit forbids" \
			"$(comm -12 "$E2E/called" "$E2E/forbidden" | paste -sd ' ')" ""
	}
	lists "$unit"
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	config_write <<-END
		interval: 1s
		prometheus: {listen: "127.0.0.1:$port"}
		metrics: [{name: orders, event: purchase}]
		detectors: [{metric: orders, kind: window}]
	END
	strace -f -qq -o "$E2E/calls" "$WEIRD" --config "$E2E/weir.yaml" >"$WEIRD_LOG" 2>&1 &
	WEIRD_PID=$!
	wait_for 60 "an engine under strace" grep -q 'ready: producers' "$WEIRD_LOG"
	"$WEIRCTL" emit --wait --timeout 30s --socket "$E2E/weir.sock" purchase || fail "no event was taken"
	ctl stat >"$E2E/out" || fail "no numbers"
	closed() { [ "$(ctl status --json | jq '.store.stored_through')" -gt 1 ]; }
	wait_for 60 "a close" closed
	if [ -n "$console_unit" ]; then
		strace -f -qq -o "$E2E/console.calls" "$console" --listen "unix:$E2E/console.sock" \
			--control "$E2E/control.sock" >"$E2E/console.log" 2>&1 &
		console_pid=$!
		started "$console_pid"
		wait_for 60 "a console under strace" grep -q 'ready at' "$E2E/console.log"
		for path in '' assets/app.js api/v1/session api/v1/anomalies api/v1/pipeline \
			'api/v1/chart?metric=orders' api/v1/series api/v1/overview; do
			curl -sS --max-time 60 --unix-socket "$E2E/console.sock" "http://localhost/$path" \
				>"$E2E/out" || fail "no answer to /$path"
		done
		curl -sN --max-time 2 --unix-socket "$E2E/console.sock" http://localhost/api/v1/events >"$E2E/out"
		says 'event: closed'
		# strace passes no signal on: its child is the console.
		kill -TERM "$(pgrep -P "$console_pid")"
		wait "$console_pid" || fail "weir-console under strace ended with $?"
	fi
	engine=$(ctl status --json | jq .pid)
	kill -TERM "$engine"
	wait "$WEIRD_PID" || fail "weird under strace ended with $?"
	WEIRD_PID=
	judge
	if [ -n "$console_unit" ]; then
		mv "$E2E/console.calls" "$E2E/calls"
		lists "$console_unit"
		judge
	fi
fi

# A service manager: it hears READY, then WATCHDOG while all threads move. Its Redis accepts; the
# password is a FIFO that nobody writes: the publisher hangs in it, and the watchdog hears no more.
cat >"$E2E/manager.py" <<'END'
import os, socket, subprocess, sys, time
directory, weird, limit = sys.argv[1], sys.argv[2], float(sys.argv[3])
path = directory + "/notify.sock"
heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
heard.bind(path)
heard.settimeout(0.2)
redis = socket.socket(socket.AF_UNIX)
redis.bind(directory + "/redis.sock")
redis.listen()
environment = dict(os.environ, NOTIFY_SOCKET=path, WATCHDOG_USEC="3000000")
engine = subprocess.Popen([weird, "--config", directory + "/weir.yaml"], env=environment,
                          stderr=open(directory + "/manager.log", "w"))
ready, beats, last, end = False, 0, None, time.time() + limit
while time.time() < end and engine.poll() is None:
    try:
        text = heard.recv(4096).decode()
    except socket.timeout:
        text = ""
    ready |= "READY=1" in text
    if "WATCHDOG=1" in text:
        beats, last = beats + 1, time.time()
silent = time.time() - last if last else -1
engine.kill() if silent > 3 else engine.terminate()
code = engine.wait(20)
print(int(ready), beats, int(silent), code)
END
rm -rf "$E2E/data"
config_write <<<'metrics: [{name: orders, event: purchase}]'
read -r ready beats silent code < <(python3 "$E2E/manager.py" "$E2E" "$WEIRD" 6)
expect "it said that it is ready" "$ready" 1
[ "$beats" -ge 3 ] || fail "an engine that moves said WATCHDOG $beats times in 6 s"
[ "$silent" -le 2 ] || fail "an engine that moves was silent for $silent s"
expect "exit code" "$code" 0
mkfifo "$E2E/password"
rm -rf "$E2E/data" "$E2E/notify.sock" "$E2E/redis.sock"
config_write <<END
metrics: [{name: orders, event: purchase}]
redis: {url: "unix://$E2E/redis.sock", password_file: $E2E/password}
END
read -r ready beats silent code < <(python3 "$E2E/manager.py" "$E2E" "$WEIRD" 10)
expect "one that will hang said that it is ready" "$ready" 1
[ "$silent" -ge 4 ] || fail "an engine whose publisher hangs said WATCHDOG until $silent s ago"
grep -q 'thread publisher has finished no step for 3 s' "$E2E/manager.log" ||
	fail "it does not say which thread hangs: $(cat "$E2E/manager.log")"
pass
