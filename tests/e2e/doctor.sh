#!/usr/bin/env bash
# doctor: a healthy engine has no findings; each thing that is broken on purpose is found, and the
# command that is said mends it where a test may type it.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq
without=$WEIR_BUILD/tests/e2e/e2e_without

doctor() { "$@" "$WEIRCTL" doctor --config "$E2E/weir.yaml" --json >"$E2E/out" 2>"$E2E/err"; }
# found CHECK TEXT: a finding says this, and how to mend it.
found() {
	jq -es --arg check "$1" --arg text "$2" 'any(.check == $check and .level == "wrong" and
		(.text | contains($text)) and (.mend | length > 0))' "$E2E/out" >/dev/null ||
		fail "no finding of $1 with \"$2\" in $(cat "$E2E/out" "$E2E/err")"
}
# wrong: which checks have findings. The machine that tests run on may have no clock service.
wrong() { jq -r 'select(.level == "wrong" and .check != "clock").check' "$E2E/out" | sort -u | paste -sd ' '; }

redis_start
cat >"$E2E/keys" <<'END'
interval: 1s
metrics: [{name: orders, event: purchase}]
detectors: [{metric: orders, kind: window}]
END
config_write <"$E2E/keys"

doctor
expect "exit code without an engine" $? 1
found engine 'is weird running?'
found socket 'producers do not reach'
weird_start
doctor
expect "findings of a healthy engine" "$(wrong)" ""
for check in config engine socket kernel io_uring memlock files disk redis; do
	jq -es --arg check "$check" 'any(.check == $check and .level == "ok")' "$E2E/out" >/dev/null ||
		fail "$check is not ok: $(cat "$E2E/out")"
done
# Of an engine that runs, it finds the file on its own, wherever it was started from.
WEIR_CONFIG='' WEIR_CONTROL=$E2E/control.sock "$WEIRCTL" doctor --json >"$E2E/own"
jq -es --arg file "$E2E/weir.yaml" 'any(.check == "config" and .level == "ok" and (.text |
	startswith($file)))' "$E2E/own" >/dev/null || fail "not its own file: $(cat "$E2E/own")"
clock=$(jq -s 'map(select(.check == "clock" and .level == "wrong")) | length' "$E2E/out")
"$WEIRCTL" doctor --config "$E2E/weir.yaml" >"$E2E/people"
expect "exit code of a healthy engine" $? "$((clock > 0))"
grep -q '^ok     engine    answers: weird' "$E2E/people" || fail "it says $(cat "$E2E/people")"

# Redis goes, and comes back.
redis_stop
apart() { ! ctl status --json | jq -e .redis.connected >/dev/null; }
wait_for 60 "an engine that misses Redis" apart
doctor
expect "exit code without Redis" $? 1
"$WEIRCTL" doctor --config "$E2E/weir.yaml" >"$E2E/people"
expect "how many there are" "$(tail -n 1 "$E2E/people")" \
	"$((clock + 1)) finding$([ "$clock" = 0 ] || echo s)"
expect "findings without Redis" "$(wrong)" redis
found redis 'redis.sock'
redis_private "$E2E/redis.sock" --requirepass secret
# shellcheck disable=SC2034 # e2e.sh stops it
REDIS_PID=$!
asks() { [[ $(redis ping 2>&1) == *NOAUTH* ]]; }
wait_for 60 "a Redis with a password" asks
together() { doctor; [ -n "$(jq 'select(.check == "redis" and .level == "wrong" and (.text | test("password|NOAUTH")))' "$E2E/out")" ]; }
wait_for 60 "a finding of the password" together

# What the configuration says and the machine does not have.
found_with() {
	{ cat "$E2E/keys" && printf '%s\n' "$1"; } | config_write
	doctor
	found "$2" "$3"
}
found_with 'bake: 1' config 'unknown key "bake"'
found_with 'log: {retain_bytes: 900TiB}' disk 'the log may take'
config_write <"$E2E/keys"
sed -i 's/^data_directory:.*/data_directory: nowhere/' "$E2E/weir.yaml"
doctor
found disk nowhere
mend=$(jq -r 'select(.check == "disk" and .level == "wrong").mend' "$E2E/out")
[[ $mend == "install -d "*"$E2E/nowhere" ]] || fail "a missing directory is mended by $mend"
config_write <"$E2E/keys"

# io_uring taken away; limits too small for what is configured.
doctor "$without"
found io_uring 'writes with pwrite'
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	weird_stop
	chmod 777 "$E2E"
	doctor setpriv --bounding-set -ipc_lock --inh-caps -all bash -c 'ulimit -l 64; ulimit -n 512; exec "$@"' bash
	found memlock '64 KiB may be locked'
	found files '512 files may be open'
fi
pass
