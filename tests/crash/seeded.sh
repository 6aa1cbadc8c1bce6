#!/usr/bin/env bash
# seeded: bugs put in on purpose, to show that the crash tests would see them.
#
#   tests/crash/seeded.sh [SOURCE]
#
# Each tests/crash/seeded/*.patch breaks one promise in a few lines. Its header says which, why a
# check sees it, which check (sim: tests/sim/crash.c; kill: tests/crash/kill.c) and what that must
# say (one `Red:` for each way in which it may show first). The tree is copied and built once; with no patch the checks must be green, with each patch
# its check must be red, and for that reason. Nothing in the source tree is touched.
set -uo pipefail

source_root=$(cd "${1-$(dirname "$0")/../..}" && pwd) || exit 2
work=$(mktemp -d "${TMPDIR:-/var/tmp}/weir-seeded-XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
tree=$work/tree
build=$work/build
check_seconds=120
# Enough to be red every time: the patch that takes longest to show needs a dozen on average, and
# one with this seed. (It varies a little: the client library looks for an engine by real time.)
sim_seed=2
sim_crashes=100
kills=4

passed=0
failed=0
pass() {
	passed=$((passed + 1))
	printf 'ok     %s\n' "$1"
}
fail() {
	failed=$((failed + 1))
	printf 'FAILED %s\n' "$1"
	[ -z "${2-}" ] || tail -n 20 "$2"
}

build_tree() {
	ninja -C "$build" engine/weird tools/weirctl/weirctl tests/crash/crash_kill \
		tests/sim/sim_crash >"$work/build.log" 2>&1
}

# check sim|kill LOG: run it; its exit code. What a red run leaves for people is removed.
check() {
	local code left
	case "$1" in
	sim)
		(cd "$work" && timeout "$check_seconds" "$build/tests/sim/sim_crash" \
			"$sim_crashes" "$sim_seed") >"$2" 2>&1
		code=$?
		;;
	kill)
		timeout "$check_seconds" "$build/tests/crash/crash_kill" "$build/engine/weird" \
			"$build/tools/weirctl/weirctl" pwrite "$kills" >"$2" 2>&1
		code=$?
		;;
	*) return 2 ;;
	esac
	left=$(sed -n 's|^left for you: \(/var/tmp/weir-kill-[A-Za-z0-9]*\)$|\1|p' "$2")
	[ -z "$left" ] || rm -rf "$left"
	return "$code"
}

field() { sed -n "s/^$1: *//p" "$2"; }

seed() {
	local patch=$1 name log=$work/check.log how red seen code
	name=$(basename "$patch" .patch)
	how=$(field Check "$patch")
	red=$(field Red "$patch")
	if [ -z "$how" ] || [ -z "$red" ]; then
		fail "$name: its header names no check"
		return
	fi
	if ! patch -d "$tree" -p1 --fuzz=0 --no-backup-if-mismatch <"$patch" >"$log" 2>&1; then
		fail "$name no longer applies: make it anew" "$log"
		return
	fi
	if ! build_tree; then
		fail "$name does not build" "$work/build.log"
	else
		check "$how" "$log"
		code=$?
		if [ "$code" = 0 ]; then
			fail "$name: the $how check stays green" "$log"
		elif [ "$code" != 1 ]; then
			fail "$name: the $how check ends with $code, not with an answer" "$log"
		elif ! seen=$(grep -F "FAILED: " "$log" | grep -oFm 1 "$red"); then
			fail "$name: the $how check is red for another reason than \"$red\"" "$log"
		else
			pass "$name is red: $seen"
		fi
	fi
	patch -d "$tree" -p1 -R --fuzz=0 --no-backup-if-mismatch <"$patch" >"$log" 2>&1 ||
		fail "$name cannot be taken back" "$log"
}

mkdir "$tree"
tar -C "$source_root" -c --exclude=node_modules include clients engine tools bench tests \
	meson.build meson_options.txt README.md CHANGELOG.md LICENSE | tar -C "$tree" -x || exit 2
# Not for its warnings: those are judged where the tree is built to be used.
if ! meson setup "$build" "$tree" -Dbuildtype=debug -Dwerror=false >"$work/build.log" 2>&1 ||
	! build_tree; then
	fail "the tree does not build" "$work/build.log"
	exit 1
fi
for how in sim kill; do
	if check "$how" "$work/check.log"; then
		pass "$how is green without a patch"
	else
		fail "$how is red without a patch" "$work/check.log"
	fi
done
patches=("$source_root"/tests/crash/seeded/*.patch)
[ "${#patches[@]}" -ge 5 ] || fail "five patches are promised, ${#patches[@]} are there"
for patch in "${patches[@]}"; do
	seed "$patch"
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
