#!/usr/bin/env bash
# fuzz: one target of libFuzzer's, so many executions from the corpus in the tree.
#
#   fuzz.sh PROGRAM COUNT [CORPUS]
#
# PROGRAM is fuzz_TARGET. CORPUS keeps what is found on the way; without it that goes with the end.
# A crasher is left where the last line says: it belongs into the tree's corpus, once mended.
set -uo pipefail

program=$(realpath "$1")
count=$2
name=${program##*/fuzz_}
name=${name//_/-}
corpus=$(realpath "$(dirname "$0")")/corpus/$name
found=
[ -z "${3-}" ] || found=$(realpath "$3")
# Bytes of an input: what is fed to it has so many that mean something.
case $name in
attach | detector) longest=64 ;;
checkpoint | control-log | segment) longest=128 ;;
import | region) longest=256 ;;
control) longest=192 ;;
zone) longest=600 ;;
*) longest=1024 ;;
esac
# A short run reads the corpus, and does little more.
[ -z "${WEIR_TEST_QUICK-}" ] || count=$((count / 25))
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/weir-fuzz.XXXXXX") || exit 1
child=
end() {
	trap - EXIT INT TERM
	[ -z "$child" ] || { kill -KILL "$child" && wait "$child"; } 2>/dev/null
	[ -n "${keep-}" ] || rm -rf "$folder"
	exit "$1"
}
trap 'end 1' EXIT
trap 'end 130' INT
trap 'end 143' TERM
mkdir "$folder/found" "$folder/run"
cd "$folder/run" || end 1

# Memory that a run has freed is soon used again: a megabyte of quarantine is enough for runs that
# end after microseconds, and a cache that holds it is what makes them short.
export ASAN_OPTIONS=quarantine_size_mb=1:malloc_context_size=8:detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1
LSAN_OPTIONS=suppressions=$(dirname "$corpus")/../../support/leaks.txt:print_suppressions=0
export LSAN_OPTIONS
"$program" -runs="$count" -seed="${WEIR_FUZZ_SEED:-1}" -max_len="$longest" -len_control=0 -entropic=0 \
	-timeout=120 -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="$folder/" \
	"${found:-$folder/found}" "$corpus" >"$folder/log" 2>&1 &
child=$!
wait "$child"
code=$?
child=
ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/log")
if [ $code -ne 0 ]; then
	keep=1
	echo "PROOF fuzz-$name ${ran:-0} 1"
	tail -n 60 "$folder/log"
	echo "ended with $code; left for you: $folder"
	end 1
fi
sed -n 's/^stat::average_exec_per_sec: */executions a second: /p' "$folder/log"
echo "PROOF fuzz-$name ${ran:-0} 0"
# What did not run proves nothing.
[ "${ran:-0}" -ge "$count" ] && end 0
echo "only ${ran:-0} of $count executions"
end 1
