#!/usr/bin/env bash
# weir-bench quality feedback: what was dismissed three times is silent, what is twice as large is found.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
need jq

bench=$WEIR_BUILD/bench/weir-bench

"$bench" quality feedback --rounds 5 --json >"$E2E/figures" 2>"$E2E/said"
expect 'exit status' $? 0
of() { jq -r "select(.name == \"feedback_$1\").value" "$E2E/figures"; }
expect 'alarms after three weeks, and what is lost' "$(of again) $(of lost)" '0 0'
expect 'what is found' "$(of found)" "$(of bare)"
expect 'what was taken back' "$(of undone)" 5
[ "$(of suppressed)" -gt 0 ] || fail 'nothing was ever suppressed'
pass
