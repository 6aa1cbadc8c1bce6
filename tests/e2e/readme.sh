#!/usr/bin/env bash
# readme: what the README tells a reader to type is typed, command by command, in a directory of its
# own, and each does what is said of it. Only the paths are others, and nobody is root.
# shellcheck disable=SC2119,SC2317
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq
root=$(cd "$(dirname "$0")/../.." && pwd)

# section TITLE: its lines.
section() { awk -v title="## $1" '/^## / { inside = $0 == title } inside' "$root/README.md"; }

# commands TITLE: what is indented there.
commands() { section "$1" | sed -n 's/^    //p'; }

# The configuration with every kind of metric and detector is one, and with Redis.
# shellcheck disable=SC2016 # backquotes as they stand there
section "Say what to watch" | sed -n '/^```yaml$/,/^```$/{/^```/d;p}' >"$E2E/watch.yaml"
[ "$(grep -c '{' "$E2E/watch.yaml")" -gt 10 ] || fail "no configuration in the README"
# shellcheck disable=SC2016
section "Hear of anomalies" | sed -n 's/^With `\(redis: {[^`]*\)`.*/\1/p' >>"$E2E/watch.yaml"
grep -q '^redis' "$E2E/watch.yaml" || fail "the README does not say how Redis is found"
"$WEIRCTL" config check "$E2E/watch.yaml" >"$E2E/out" 2>&1 || fail "$(cat "$E2E/out")"

mkdir "$E2E/here" "$E2E/bin"
for program in "$WEIRD" "$WEIRCTL" "$WEIR_SHOP" "$WEIR_BUILD/bench/weir-bench"; do ln -s "$program" "$E2E/bin/"; done
export PATH=$E2E/bin:$PATH WEIR_SOCKET=$E2E/weir.sock WEIR_CONTROL=$E2E/control.sock
cd "$E2E/here" || exit 1
cp -r "$root/tools" "$E2E/here/tools" || fail "no copy of tools/"
sed -i -e "s|/var/lib/weir|$E2E/data|; s|/run/weir|$E2E|" tools/presets/*.yaml

# Every source is closed up to the sheet's last day, and scored.
settled() {
	weirctl status --json | jq -e '(.status // .) | .store.closes == .store.stored_through and
		([.sources[] | select(.clock == "event") | .closed_through_ms] |
			length > 0 and all(. >= 1783299600000))' >/dev/null
}

# type_it COMMAND: as it stands there, in this shell; what it says is in $E2E/out.
type_it() {
	local command=${1#sudo }
	case $command in
	systemd-* | curl*) return ;; # service.sh, stat.sh
	'weirctl top'*) command='weirctl top --once' ;; # no terminal here
	esac
	command=${command//\/var\/lib\/weir/$E2E\/data}
	case $command in
	*'&')
		eval "$command" >"$WEIRD_LOG" 2>&1
		WEIRD_PID=$!
		wait_for 60 "the engine" grep -q 'ready: producers' "$WEIRD_LOG"
		return
		;;
	weirctl\ anomalies | weirctl\ history* | id=*) wait_for 60 "the engine to be done" settled ;;
	esac
	eval "$command" >"$E2E/out" 2>"$E2E/err"
	local code=$?
	# A machine of tests may lack what doctor wants.
	[[ $command != *doctor* || $code -ne 1 ]] || code=0
	expect "exit code of \"$1\" ($(tail -n 3 "$E2E/err"))" "$code" 0
}

lines=0
for title in "The marketers' sheet" "Look back" "Bring in what you have" "Score a file" "From day to day" "Operate it"; do
	while IFS= read -r line; do
		lines=$((lines + 1))
		type_it "$line"
		case $line in
		'weirctl anomalies '*) ;;
		'weirctl anomalies'*) expect anomalies "$(weirctl anomalies --json | wc -l)" 16 ;;
		*'--step 7d'*) [ "$(wc -l <"$E2E/out")" -gt 55 ] || fail "visits: $(cat "$E2E/out")" ;;
		*'quality orders'*) grep -q '</svg>' orders.svg || fail "$line: $(cat "$E2E/out")" ;;
		*'--out scored.csv') [ "$(wc -l <scored.csv)" -gt 60 ] || fail "$line: $(cat "$E2E/out")" ;;
		*.csv) [ "$(wc -l <"${line##*>}")" -gt 60 ] || fail "$line: $(head -n 3 "${line##*>}")" ;;
		*'score -'*) [ "$(wc -l <"$E2E/out")" -gt 300 ] || fail "scored: $(cat "$E2E/out")" ;;
		*'mute --list'*) grep -q 'the campaign moves' "$E2E/out" || fail "no mute: $(cat "$E2E/out")" ;;
		esac
	done < <(commands "$title")
	[ "$lines" -gt 0 ] || fail "no commands in \"$title\""
done
echo "$lines commands"
weird_stop
pass
