#!/usr/bin/env bash
# completion: what a Tab gives, in a bash and in a zsh that know nothing else of weirctl.
# shellcheck source=../support/e2e.sh
. "$(dirname "$0")/../support/e2e.sh"

cd "$E2E" || exit 1
touch one.yaml
mkdir two
"$WEIRCTL" completion bash >bash.sh || fail "weirctl completion bash"
"$WEIRCTL" completion zsh >_weirctl || fail "weirctl completion zsh"
bash -n bash.sh || fail "the script is no bash"

# tab WORD...: what completes the last word, sorted, on one line.
tab() {
	bash --norc --noprofile -c '
		source bash.sh
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		"$(complete -p weirctl | sed "s/.*-F \([^ ]*\) .*/\1/")" 2>err
		printf "%s\n" "${COMPREPLY[@]}" | sort | paste -sd " "' bash "$@"
	[ ! -s err ] || fail "completion said: $(cat err)"
}
expect "weirctl du" "$(tab weirctl du)" dump
[[ $(tab weirctl '') == *anomalies*completion*status* ]] || fail "not all commands: $(tab weirctl '')"
expect "dump --s" "$(tab weirctl dump --s)" "--since --socket --source --sum"
expect "dump --socket" "$(tab weirctl dump --socket o)" one.yaml
expect "an argument nobody can guess" "$(tab weirctl dump --event '')" ""
expect "dump DIR" "$(tab weirctl dump '')" two
expect "config" "$(tab weirctl config che)" check
expect "config check" "$(tab weirctl config check on)" one.yaml
expect "completion" "$(tab weirctl completion '')" "bash zsh"
# Every option of every command is there.
for command in $("$WEIRCTL" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
	expect "options of $command" "$(tab weirctl "$command" -- | tr ' ' '\n')" \
		"$("$WEIRCTL" "$command" --help | grep -o '^  \(-., \)\?--[a-z-]*' | sed 's/.*--/--/;s/.*-h, --help/--help/' | sort)"
done

command -v zsh >/dev/null || pass
zsh -n _weirctl || fail "the script is no zsh"
# A zsh on a terminal of its own, in which Tab is pressed.
cat >press.zsh <<'END'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1='%% ' LISTMAX=0; fpath=($E2E \$fpath); autoload -U compinit; compinit -u -d $E2E/dump; echo begin"
# seen TEXT: read until it comes, at most 10 s.
seen() {
	local all= line end=$((SECONDS + 10))
	while ((SECONDS < end)); do
		if zpty -rt shell line; then all+=$line; else sleep 0.05; fi
		[[ $all == *$1* ]] && return 0
	done
	print -r -- "no \"$1\" in: $all" >&2
	return 1
}
seen $'begin\r' || exit 1
zpty -n -w shell $'weirctl du\t'
seen 'weirctl dump' || exit 1
zpty -n -w shell $'--sou\t'
seen '--source' || exit 1
zpty -n -w shell $'\025weirctl completion z\t'
seen 'completion zsh' || exit 1
zpty -n -w shell $'\025weirctl config check on\t'
seen 'one.yaml' || exit 1
zpty -d shell
END
E2E=$E2E timeout 60 zsh -f press.zsh || fail "zsh does not complete"
pass
