#!/usr/bin/env bash
# proof: what tools/proof lists is there to be run; it runs what is named, keeps what came to a good
# end and does not run it again; what breaks a promise, or dies, or is interrupted, is not kept.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
proof_of() { "$(dirname "$0")/../../tools/proof" --quick --directory "$E2E/said" "$@" >"$E2E/out" 2>"$E2E/err"; }

proof_of --list || fail "--list ended with $?"
[ "$(wc -l <"$E2E/out")" -ge 20 ] || fail "only $(wc -l <"$E2E/out") proofs"
expect "names twice" "$(cut -f1 "$E2E/out" | sort | uniq -d)" ""
while read -r name program _; do
	[ "$name" = env ] || [ -x "$program" ] || command -v "$program" >/dev/null || fail "$name: there is no $program"
done <"$E2E/out"

proof_of property-cells 'property-pla*' || fail "it ended with $?: $(cat "$E2E/out" "$E2E/err")"
says '^PROOF property-cells 10 0$'
says '^PROOF property-plan 10 0$'
says '^2 tests, 0 violations, 0 without an end$'
echo kept >>"$E2E/said/property-cells.log"
proof_of property-cells || fail "the second time it ended with $?"
says '^PROOF property-cells 10 0$'
grep -q '^kept$' "$E2E/said/property-cells.log" || fail "what had come to its end was run again"
proof_of --again property-cells || fail "--again ended with $?"
! grep -q '^kept$' "$E2E/said/property-cells.log" || fail "--again did not run it again"
proof_of nothing-of-this-name
expect "exit code where nothing was run" $? 1

# A build whose programs break promises, die, and hang.
mkdir -p "$E2E/bad/tests/property"
bad() { install -m 755 /dev/stdin "$E2E/bad/tests/property/property_$1"; }
printf '%s\n' '#!/bin/sh' 'echo PROOF property-cells 10 3' 'exit 1' | bad cells
printf '%s\n' '#!/bin/sh' 'exit 0' | bad plan
printf '%s\n' '#!/bin/sh' 'echo $$ >pid' 'exec sleep 600' | bad rule
WEIR_BUILD=$E2E/bad proof_of property-cells property-plan
expect "exit code of what breaks a promise" $? 1
says '^FAILED: property-cells ended with 1'
says '^FAILED: property-plan ended with 0'
says '^2 tests, 3 violations, 2 without an end$'
WEIR_BUILD=$E2E/bad "$(dirname "$0")/../../tools/proof" --directory "$E2E/said" property-rule >/dev/null 2>&1 &
interrupted=$!
started $interrupted
begun() { [ -s "$E2E/said/pid" ]; }
wait_for 60 "the one that hangs" begun
kill -TERM $interrupted
! wait $interrupted || fail "an interrupted proof ended with 0"
gone() { ! kill -0 "$(cat "$E2E/said/pid")" 2>/dev/null; }
wait_for 60 "the end of what an interrupted proof had begun" gone
expect "kept of what was interrupted" "$(find "$E2E/said" -name 'property-rule.done')" ""
pass
