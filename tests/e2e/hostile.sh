#!/usr/bin/env bash
# hostile: producers that write what the library never would. The engine takes what is good of it,
# counts the rest, says whose it is and what is wrong; a neighbour notices nothing. Applications
# that hand such things to the library or to weirctl are told at once.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"
# shellcheck source=../support/ledger.sh
. "$(dirname "$0")/../support/ledger.sh"
need jq

HOSTILE=$WEIR_BUILD/tests/e2e/e2e_hostile
weird_start
app_start neighbour 65536 0

# taken KIND SAID TEXT: what the producer hears, and what the engine's log says.
taken() {
	app_tell emit 500
	expect "$1" "$("$HOSTILE" "$E2E/weir.sock" "$1")" "$2"
	[ -z "$3" ] || grep -q "$3" "$WEIRD_LOG" || fail "$1: the log says nothing of \"$3\""
}

taken good 'released 25 rejected 0' ''
taken nul 'released 25 rejected 5' 'hostile .* without NUL.*rejected'
taken utf8 'released 25 rejected 5' 'hostile .* not UTF-8.*rejected'
taken long 'released 25 rejected 5' 'series table of hostile .* is not what it says'
taken nan 'released 25 rejected 5' ''
refused() {
	local said
	said=$("$HOSTILE" "$E2E/weir.sock" "$1")
	[[ $said == "refused: "*$2* ]] || fail "$1: it was told: $said"
	grep -q "refused .*$2" "$WEIRD_LOG" || fail "$1: the log says nothing of \"$2\""
}
refused unsealed seal
refused size 'its header says'

app_tell emit 500
app_tell wait 60000
app_tell ledger >"$E2E/ledgers"
app_end
# Of each of the five, all that is good: numbers 0 to 9 and 15 to 24; of the good one all 25.
{
	echo '{"process":"good","attempted":25,"published":25,"persisted":25,"rejected":0,"sum":300}'
	for kind in nul utf8 long nan; do
		echo "{\"process\":\"$kind\",\"attempted\":25,\"published\":25,\"persisted\":25,\"rejected\":5,\"sum\":240}"
	done
} | jq -c '. + {dropped: 0, lost: 0}' >>"$E2E/ledgers"
ledger_status
ctl status --json | jq -e '.intake.refused_definitions == 2 and .intake.quarantined == 1 and
	.intake.refused == 2' >/dev/null || fail "the counts: $(ctl status --json | jq -c .intake)"
weird_stop
ledger_log

# Through the library and weirctl: said at once, nothing sent.
large=$(head -c 65536 /dev/zero | tr '\0' x)
for bad in $'country=\xc3\x28' "country=$large" "country=${large:0:300}" value=nan value=inf; do
	said=$("$WEIRCTL" emit --socket "$E2E/weir.sock" purchase "$bad" 2>&1)
	expect "exit code of ${bad:0:20}" $? 2
	[[ $said == *UTF-8* || $said == *"too long"* || $said == *"not a number"* ]] ||
		fail "${bad:0:20}: weirctl said: ${said:0:200}"
	[ ${#said} -lt 500 ] || fail "${bad:0:20}: weirctl repeats all of it"
done
proof hostile-producers 7 0
pass
