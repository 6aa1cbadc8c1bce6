#!/usr/bin/env bash
# stat: every number of an engine, by name, for people, as JSON and for Prometheus, at the control
# socket and over HTTP.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq curl python3

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
config_write <<END
interval: 1s
lanes: 2
prometheus: {listen: "127.0.0.1:$port"}
metrics:
  - {name: orders, event: purchase}
detectors:
  - {metric: orders, kind: window}
END
weird_start
for i in 1 2 3; do
	"$WEIRCTL" emit --socket "$E2E/weir.sock" --source shop purchase value=$i ||
		fail "an event was not taken"
done

# value FILTER: of the numbers as JSON, the sum of the values that the filter takes.
value() { ctl stat --json | jq -s "map(select($1).value) | add"; }
all_counted() { [ "$(value '.name == "events_persisted_total"')" = 3 ]; }
wait_for 60 "three events persisted" all_counted
expect "lanes" "$(value '.name == "rings" and (.labels.lane | length > 0)' | grep -c .)" 1
ctl stat --json | jq -e 'has("name") and has("labels") and has("value") and has("type") and
	(.unit | length > 0) and (.description | endswith("."))' >"$E2E/whole"
! grep -qv true "$E2E/whole" || fail "a number lacks something: $(ctl stat --json)"
[ "$(wc -l <"$E2E/whole")" -gt 60 ] || fail "there are $(wc -l <"$E2E/whole") numbers only"
[ "$(value '.name == "up_seconds"')" != 0 ] || fail "the engine is not up"

# By name: a part of it, or a pattern for all of it.
ctl stat events_pers >"$E2E/out" || fail "stat events_pers"
expect "lines of a part" "$(wc -l <"$E2E/out")" 2
grep -q '^events_persisted_total{lane=0} .* events  *Events that are in the log' "$E2E/out" ||
	fail "it says $(cat "$E2E/out")"
expect "lines of patterns" "$(ctl stat 'redis_*' epoch | wc -l)" 6
ctl stat nothing 2>"$E2E/err"
expect "exit code where nothing has that name" $? 1
ctl stat --prometheus --json 2>"$E2E/err"
expect "exit code of two forms at once" $? 2

# Prometheus: the same page at the control socket and over HTTP, and its own tool agrees.
ctl stat --prometheus >"$E2E/page" || fail "stat --prometheus"
grep -q '^weir_source_lag_seconds{source="shop"} [0-9.]*$' "$E2E/page" ||
	fail "the source's lag is not there: $(grep source "$E2E/page")"
curl -sS -D "$E2E/head" "http://127.0.0.1:$port/metrics" >"$E2E/http" || fail "HTTP does not answer"
grep -qi '^content-type: text/plain; version=0.0.4' "$E2E/head" || fail "head: $(cat "$E2E/head")"
expect "names over HTTP" "$(grep '^#' "$E2E/http")" "$(grep '^#' "$E2E/page")"
if command -v promtool >/dev/null; then
	said=$(promtool check metrics <"$E2E/http" 2>&1) || fail "promtool: $said"
	expect "what promtool says" "$said" ""
else
	echo "promtool is not installed: not asked"
fi

# status_of METHOD PATH: the HTTP status.
status_of() {
	curl -s -o "$E2E/body" -w '%{http_code}' -X "$1" "http://127.0.0.1:$port$2"
}
expect "health" "$(status_of GET /-/healthy)" 200
expect "HEAD" "$(curl -sI -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/metrics")" 200
expect "another path" "$(status_of GET /etc/passwd)" 404
expect "another method" "$(status_of POST /metrics)" 405
expect "a long path" "$(status_of GET "/$(head -c 9000 /dev/zero | tr '\0' a)")" 414
# Clients that say nothing take nobody's place for ever, and nonsense harms nobody.
exec 3<>"/dev/tcp/127.0.0.1/$port" && printf '\0\1\2nonsense\r\n\r\n' >&3
exec 4<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /metrics HTTP/1.1\r\nHost' >&4
expect "while others are rude" "$(status_of GET /metrics)" 200
exec 3>&- 4>&-
weird_stop

# A network is listened to only where it was said.
refused() {
	config_write <<<"prometheus: {$1}"
	said=$("$WEIRD" --check-config --config "$E2E/weir.yaml" 2>&1)
	expect "exit code of $1" $? 78
	[[ $said == *"$2"* ]] || fail "$1 was refused with: $said"
}
refused 'listen: "0.0.0.0:9464"' 'network: yes'
refused 'listen: "[::]:9464"' 'network: yes'
refused 'listen: "127.0.0.1"' 'is no address'
refused 'listen: "127.0.0.1:99999"' 'is no address'
refused 'listen: "example.com:80"' 'is no address'
refused 'network: yes' 'prometheus.listen: missing'
config_write <<<'prometheus: {listen: "[::1]:9464"}'
"$WEIRD" --check-config --config "$E2E/weir.yaml" >/dev/null || fail "[::1]:9464 is refused"
config_write <<<'prometheus: {listen: "0.0.0.0:9464", network: yes}'
"$WEIRD" --check-config --config "$E2E/weir.yaml" >/dev/null || fail "network: yes is refused"

# A port that is taken: said, with what to do.
config_write <<<"prometheus: {listen: \"127.0.0.1:$port\"}
interval: 1s"
python3 -c "
import socket, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', $port))
s.listen()
print('listening', flush=True)
time.sleep(60)" >"$E2E/listening" &
taker=$!
started "$taker"
wait_for 60 "a listener" grep -q listening "$E2E/listening"
timeout 90 "$WEIRD" --config "$E2E/weir.yaml" >"$E2E/out" 2>&1
expect "exit code on a taken port" $? 1
grep -q "prometheus.listen" "$E2E/out" || fail "it said: $(cat "$E2E/out")"
pass
