#!/usr/bin/env bash
# seeded: bugs put in on purpose, to show that the tests would see them.
#
#   tests/crash/seeded.sh BUILD [NAME]
#
# Each tests/crash/seeded/NAME.patch breaks one promise in a few lines. Its header says which, why a
# test sees it, which test that is, and what it must say (one `Red:` for each way in which it may
# show first). A check with WEIRD in it runs an engine beside itself: an engine's bug is in that one,
# any other in the check's own program. Without a bug each of these tests must be green, with it red, and for that reason.
# BUILD is a build tree: what is needed is built there. Nothing in the source tree is touched.
set -uo pipefail

check_seconds=120
seeds=$(cd "$(dirname "$0")/seeded" && pwd) || exit 2
build=$(cd "${1:?the build tree}" && pwd) || exit 2

field() { sed -n "s/^$1: *//p" "$2"; }

# run LOG PROGRAM [ARGUMENT...]: its exit code. What a red run leaves for people goes with $TMPDIR.
run() {
	local log=$1 fixed=()
	shift
	# ThreadSanitizer wants its addresses where they always are.
	setarch "$(uname -m)" -R true 2>/dev/null && fixed=(setarch "$(uname -m)" -R)
	(cd "$TMPDIR" && TSAN_OPTIONS=halt_on_error=1 WEIR_TEST_QUICK=1 \
		timeout "$check_seconds" "${fixed[@]}" "$@") >"$log" 2>&1
}

program_of() { find "$build/tests" -name "${1%% *}" -type f -perm -u+x; }

red() {
	local name=$1 patch=$seeds/$1.patch log=$TMPDIR/$1.log check red seen code
	local bug=$build/tests/crash/seeded-$1 program weird=$build/engine/weird
	check=$(field Check "$patch")
	red=$(field Red "$patch")
	if [ -z "$check" ] || [ -z "$red" ]; then
		echo "FAILED $name: its header names no check"
		return 1
	fi
	program=$bug
	if [[ $check == *" WEIRD"* ]] && grep -q '^+++ b/engine/' "$patch"; then
		program=$(program_of "$check") weird=$bug
	fi
	set -- "${check#"${check%% *}"}"
	# shellcheck disable=SC2086
	run "$log" "$program" ${1/WEIRD/"$weird"}
	code=$?
	if [ "$code" = 0 ]; then
		echo "FAILED $name: $check stays green"
	elif [ "$code" = 124 ]; then
		echo "FAILED $name: $check came to no end"
	elif ! seen=$(grep -aoFm 1 "$red" "$log"); then
		echo "FAILED $name: $check ends with $code, but not because of \"$red\""
	else
		echo "ok     $name is red after $SECONDS s: $(head -n 1 <<<"$seen")"
		return 0
	fi
	tail -n 20 "$log"
	return 1
}

green() {
	local arguments=${1#"${1%% *}"} log=$TMPDIR/green.log.$BASHPID
	# shellcheck disable=SC2086
	if run "$log" "$(program_of "$1")" ${arguments/WEIRD/"$build/engine/weird"}; then
		echo "ok     $1 is green without a bug after $SECONDS s"
		return 0
	fi
	echo "FAILED $1 is red without a bug"
	tail -n 20 "$log"
	return 1
}

case "${3-}" in
red | green)
	"$3" "$2"
	exit
	;;
esac

base=/var/tmp
[ ! -w /dev/shm ] || base=/dev/shm
TMPDIR=$(mktemp -d "$base/weir-seeded-XXXXXX") || exit 2
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
command -v ninja patch >/dev/null || {
	echo "skipped: ninja or patch is not installed"
	exit 77
}
ninja -C "$build" seeded >"$TMPDIR/build.log" 2>&1 || {
	echo "FAILED the bugs cannot be built: a patch that no longer applies is to be made anew"
	tail -n 20 "$TMPDIR/build.log"
	exit 1
}
if [ -n "${2-}" ]; then
	red "$2"
	exit
fi
{
	for patch in "$seeds"/*.patch; do
		printf '%s\0%s\0%s\0' "$build" "$(basename "$patch" .patch)" red
	done
	for patch in "$seeds"/*.patch; do field Check "$patch"; done | sort -u |
		while read -r check; do printf '%s\0%s\0%s\0' "$build" "$check" green; done
} | xargs -0 -n 3 -P 2 "$0" | tee "$TMPDIR/said"
bugs=$(find "$seeds" -name '*.patch' | wc -l)
failed=$(grep -c '^FAILED ' "$TMPDIR/said")
[ "$(grep -c '^ok .* is red' "$TMPDIR/said")" -eq "$bugs" ] || failed=$((failed + !failed))
echo "PROOF seeded-bugs $bugs $failed"
[ "$failed" = 0 ]
