#!/usr/bin/env bash
# console-http: how the console is reached. Pages compressed and known again, the headers that each
# answer has, names and tokens, other sites, a UNIX socket; 500 who listen, 1,000 who listen and take
# nothing, one who comes back; a user who may read and not write, with the engine and without it.
# shellcheck disable=SC2317
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq python3 curl gzip node
CONSOLE=$WEIR_BUILD/tools/console/weir-console
[ -x "$CONSOLE" ] || skip "weir-console is not built: npm is absent"

# console_start NAME OPTION...: its process is $console, where it is $url.
console_start() {
	local log=$E2E/$1.log
	shift
	"$CONSOLE" --control "$E2E/control.sock" "$@" >"$log" 2>&1 &
	console=$!
	started "$console"
	wait_for 60 "a console" grep -q 'ready at' "$log"
	url=$(sed -n 's|.*ready at \(http://.*\)/$|\1|p' "$log")
}

# ask WANTED PATH OPTION...: with that status; the answer is in $E2E/out, its head in $E2E/head.
ask() {
	local wanted=$1 path=$2 found
	shift 2
	rm -f "$E2E/out"
	found=$(curl -sS --max-time 60 --path-as-is -D "$E2E/head" -o "$E2E/out" -w '%{http_code}' "$@" "$url$path") ||
		fail "curl $* $url$path: $?"
	expect "status of $path $*: $(head -c 200 "$E2E/out" 2>&1 | tr -d '\0')" "$found" "$wanted"
}
header() { sed -n "s/^$1: \(.*\)\r$/\1/Ip" "$E2E/head"; }

config_write <<-END
	interval: 1s
	metrics: [{name: orders, event: purchase}]
	detectors: [{metric: orders, kind: window}]
END
weird_start
"$WEIRCTL" emit --wait --timeout 60s --socket "$E2E/weir.sock" purchase || fail "no event was taken"
console_start local --listen 127.0.0.1:0
local=$console

# Pages: compressed for who takes it, plain for others, the same bytes; not sent again.
ask 200 /assets/app.js -H 'Accept-Encoding: gzip'
expect encoding "$(header content-encoding)" gzip
packed=$(header etag)
gzip -dc "$E2E/out" >"$E2E/unpacked"
ask 200 /assets/app.js
cmp "$E2E/out" "$E2E/unpacked" || fail "the compressed page is another one"
expect encoding "$(header content-encoding)" ""
[ "$(header etag)" != "$packed" ] || fail "two forms have one ETag"
ask 200 /assets/app.js -H 'Accept-Encoding: gzip, deflate, br'
expect encoding "$(header content-encoding)" br
node -e 'process.stdout.write(zlib.brotliDecompressSync(fs.readFileSync(0)))' <"$E2E/out" | cmp - "$E2E/unpacked" ||
	fail "the page is another one with brotli"
ask 200 /assets/app.js -H 'Accept-Encoding: gzip;q=0, br;q=0.0'
expect encoding "$(header content-encoding)" ""
ask 304 /assets/app.js -H "If-None-Match: W/\"other\", $packed" -H 'Accept-Encoding: gzip'
[ ! -s "$E2E/out" ] || fail "what is known was sent again"
ask 200 /assets/app.js -H 'If-None-Match: "0123456789abcdef"'
ask 200 /assets/vendor/uplot.js
# What the first page will ask for is asked for by nobody else.
ask 200 /
grep -q 'rel="preload".*/api/v1/first' "$E2E/out" || fail "the first page names no questions"
for path in /anomalies/00ff /pipeline '/?severity=80'; do
	ask 200 "$path"
	grep -q /assets/app.js "$E2E/out" || fail "$path is no page"
	! grep -q /api/ "$E2E/out" || fail "$path names the first page's questions"
done
ask 200 / -I
[ "$(header content-length)" -gt 100 ] || fail "a HEAD does not say how long the page is"
ask 404 /assets/nothing.js
ask 405 / -X POST --json '{}'
expect "what is allowed" "$(header allow)" "GET, HEAD"
ask 200 /api/v1/pipeline -H 'Accept-Encoding: gzip'
expect encoding "$(header content-encoding)" gzip
gzip -dc "$E2E/out" | jq -e .status.pid >/dev/null || fail "a compressed answer is no JSON"
ask 200 /api/v1/session
is '.engine.up and .environment == "test" and .token_required == false'
is '.metrics[0].name == "orders" and .metrics[0].unit == "count"'
expect caching "$(header cache-control)" no-store
for path in / /api/v1/session /assets/app.js /nothing; do
	curl -sS -D "$E2E/head" -o "$E2E/out" "$url$path"
	header content-security-policy | grep -q "default-src 'none'; script-src 'self'" || fail "$path has no policy"
	expect "sniffing of $path" "$(header x-content-type-options)" nosniff
	expect "referrer of $path" "$(header referrer-policy)" no-referrer
	expect "opener of $path" "$(header cross-origin-opener-policy)" same-origin
	expect "use of $path by others" "$(header cross-origin-resource-policy)" same-origin
	expect "what $path says of its server" "$(header server)" ""
done

# Names, and pages of other sites.
ask 403 /api/v1/session -H 'Host: evil.example'
ask 200 /api/v1/session -H 'Host: localhost:1'
ask 403 /api/v1/mutes --json '{}' -H 'Origin: https://evil.example'
ask 403 /api/v1/session -H 'Sec-Fetch-Site: cross-site'
ask 415 /api/v1/mutes -d '{}' -H 'Content-Type: text/plain'
ask 200 /api/v1/mutes --json '{"metric":"orders","for_ms":60000}' -H "Origin: $url"
is '.number >= 1'
ask 204 /api/v1/csp -d '{"csp-report":{"violated-directive":"img-src"}}' -H 'Content-Type: application/csp-report'
grep -q 'broke its policy: img-src' "$E2E/local.log" || fail "a report is not logged"

# A token: of a file that others cannot read, asked of writes, never said.
token=$(head -c 24 /dev/urandom | base64)
echo "$token" >"$E2E/token"
chmod 644 "$E2E/token"
code 3 "$CONSOLE" --listen 127.0.0.1:0 --control "$E2E/control.sock" --token-file "$E2E/token"
says 'chmod 600'
chmod 600 "$E2E/token"
console_start token --listen 127.0.0.1:0 --token-file "$E2E/token" --host shop.example --author-header X-User
ask 200 /api/v1/session -H 'Host: shop.example' -H 'X-User: ann'
is '.token_required and .author == "ann"'
ask 401 /api/v1/mutes --json '{"metric":"orders","for_ms":60000}'
ask 403 /api/v1/mutes --json '{"metric":"orders","for_ms":60000}' -H "Authorization: Bearer ${token}x"
ask 200 /api/v1/mutes --json '{"metric":"orders","for_ms":60000,"author":"eve"}' \
	-H "Authorization: Bearer $token" -H 'X-User: ann'
number=$(jq .number "$E2E/out")
ask 200 /api/v1/mutes
is ".mutes[] | select(.number == $number) | .author == \"ann\""
ask 401 "/api/v1/mutes/$number" -X DELETE
ask 200 "/api/v1/mutes/$number" -X DELETE -H "Authorization: Bearer $token"
! grep -qF "$token" "$E2E"/*.log || fail "the token is in a log"
stop_pid "$console"

# Beyond this machine and without a token nobody writes.
console_start open --listen 0.0.0.0:0
url=${url/0.0.0.0/127.0.0.1}
ask 403 /api/v1/mutes --json '{"metric":"orders","for_ms":60000}'
is '.error | test("token")'
ask 200 /api/v1/anomalies
grep -q 'more than this machine can reach' "$E2E/open.log" || fail "it does not say who can reach it"
stop_pid "$console"

# A socket in the file system, that a dead console left.
"$CONSOLE" --control "$E2E/control.sock" --listen "unix:$E2E/c.sock" >"$E2E/unix.log" 2>&1 &
started $!
wait_for 60 "a console at a socket" grep -q 'ready at' "$E2E/unix.log"
{ kill -9 $! && wait $!; } 2>/dev/null
"$CONSOLE" --control "$E2E/control.sock" --listen "unix:$E2E/c.sock" >"$E2E/unix2.log" 2>&1 &
at_socket=$!
started $at_socket
wait_for 60 "a console at the socket of a dead one" grep -q 'ready at' "$E2E/unix2.log"
expect "its mode" "$(stat -c %a "$E2E/c.sock")" 660
curl -sf --max-time 60 --unix-socket "$E2E/c.sock" http://localhost/-/healthy >/dev/null || fail "no answer there"
code 3 "$CONSOLE" --control "$E2E/control.sock" --listen "unix:$E2E/c.sock"
says 'in use'

# Who listens: each event once, in order; and what the many cost.
console_start many --listen 127.0.0.1:0
timeout 300 python3 "$(dirname "$0")/console_listeners.py" "${url##*:}" "$console" 500 1000 >"$E2E/out" 2>&1 ||
	fail "who listens: $(tail -n 5 "$E2E/out")"
cat "$E2E/out"
stop_pid "$console"

# An engine that was started again has counted nothing, and holds what it held; of a directory that
# is not its own nobody can say.
weird_stop
weird_start
console_start again --listen 127.0.0.1:0 --shop /bin/false
ask 409 /api/v1/demo --json '{}'
is '.error | test("holds data")'
stop_pid "$console"
mkdir "$E2E/elsewhere"
console_start elsewhere --listen 127.0.0.1:0 --shop /bin/false --data "$E2E/elsewhere"
ask 503 /api/v1/demo --json '{}'
is '.error | test("cannot be read")'
stop_pid "$console"

# A user of the engine's group, who may read there and not write: with the engine, and when it has
# ended as it should and nobody holds its databases.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	for pid in "$local" "$at_socket"; do stop_pid "$pid"; done
	weird_stop
	chmod 711 "$E2E"
	chgrp -R 54321 "$E2E/data" && chmod -R g+rX,o= "$E2E/data"
	cp "$CONSOLE" "$E2E/console"
	setpriv --reuid 54322 --regid 54322 --groups 54321 "$E2E/console" --listen 127.0.0.1:0 \
		--control "$E2E/control.sock" --data "$E2E/data" >"$E2E/user.log" 2>&1 &
	started $!
	wait_for 60 "a console of another user" grep -q 'ready at' "$E2E/user.log"
	url=$(sed -n 's|.*ready at \(http://.*\)/$|\1|p' "$E2E/user.log")
	ask 200 '/api/v1/chart?metric=orders'
	is '.time_ms | length > 3'
	has_loaded() { ask 200 /api/v1/anomalies && jq -e '.loading == false' "$E2E/out" >/dev/null; }
	wait_for 60 "its anomalies" has_loaded
fi
pass
