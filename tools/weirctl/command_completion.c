/*
 * completion: what a shell needs to finish weirctl's words, from the commands' tables.
 *
 * Idea:  the script holds, for each command, its options, what each of them takes, and its
 *        operands; nothing in it asks the engine, so that a Tab costs nothing.
 */
#include <string.h>

#include "command.h"

/* What a word of the table stands for. */
enum word { WORD_OTHER, WORD_FILE, WORD_DIRECTORY, WORD_CHOICE };

static enum word word_of(const char *word, size_t bytes)
{
	static const struct {
		const char *word;
		enum word kind;
	} known[] = {{"FILE", WORD_FILE}, {"PATH", WORD_FILE}, {"DIR", WORD_DIRECTORY}};
	for (size_t i = 0; i < OPTIONS_COUNT(known); i++)
		if (strlen(known[i].word) == bytes && memcmp(known[i].word, word, bytes) == 0)
			return known[i].kind;
	return memchr(word, '|', bytes) ? WORD_CHOICE : WORD_OTHER;
}

/* "a|b|c" as "a b c", or the like. */
static void print_choices(const char *words, size_t bytes, char between)
{
	for (size_t i = 0; i < bytes; i++)
		putchar(words[i] == '|' ? between : words[i]);
}

/* The bash command that lists what a word can be. */
static void bash_word(const char *word, size_t bytes)
{
	switch (word_of(word, bytes)) {
	case WORD_FILE:
		fputs("_weirctl_files -f", stdout);
		return;
	case WORD_DIRECTORY:
		fputs("_weirctl_files -d", stdout);
		return;
	case WORD_CHOICE:
		fputs("_weirctl_words '", stdout);
		print_choices(word, bytes, ' ');
		putchar('\'');
		return;
	default:
		fputs(":", stdout);
	}
}

/* Behind an option: what it takes. */
static void bash_arguments(const struct command_entry *entry)
{
	const struct options *options = &entry->command->options;
	for (size_t i = 0; i < options->rows_count; i++) {
		const struct option_row *row = &options->rows[i];
		if (!row->argument)
			continue;
		printf("\t'%s --%s'", entry->name, row->name);
		if (row->letter)
			printf(" | '%s -%c'", entry->name, row->letter);
		fputs(") ", stdout);
		bash_word(row->argument, strlen(row->argument));
		puts("; return ;;");
	}
}

/* Elsewhere: the first word that an operand of the command can be. */
static void bash_operands(const struct command_entry *entry)
{
	const struct options *options = &entry->command->options;
	const char *at = options->operands, *word;
	size_t bytes;
	bool optional, repeats;
	printf("\t%s)\n\t\tcase $cur in -*) _weirctl_words '", entry->name);
	for (size_t i = 0; i < options->rows_count; i++)
		printf("--%s ", options->rows[i].name);
	puts("--help'; return ;; esac");
	if (options->actions_count) {
		fputs("\t\t[ \"$COMP_CWORD\" -gt 2 ] || { _weirctl_words '", stdout);
		for (size_t i = 0; i < options->actions_count; i++)
			printf("%s%s", i ? " " : "", options->actions[i].name);
		puts("'; return; }");
		for (size_t i = 0; i < options->actions_count; i++) {
			at = options->actions[i].operands;
			word = options_operand(&at, &bytes, &optional, &repeats);
			if (!word || word_of(word, bytes) == WORD_OTHER)
				continue;
			printf("\t\t[ \"${COMP_WORDS[2]}\" != %s ] || ", options->actions[i].name);
			bash_word(word, bytes);
			putchar('\n');
		}
	} else if ((word = options_operand(&at, &bytes, &optional, &repeats))) {
		fputs("\t\t", stdout);
		bash_word(word, bytes);
		putchar('\n');
	}
	puts("\t\t;;");
}

static void print_bash(void)
{
	puts("# bash completion of weirctl: weirctl completion bash\n"
	     "_weirctl_words() {\n"
	     "\tmapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
	     "}\n"
	     "_weirctl_files() {\n"
	     "\tmapfile -t COMPREPLY < <(compgen \"$1\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
	     "\tcompopt -o filenames 2>/dev/null\n"
	     "}\n"
	     "_weirctl() {\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	     "\tCOMPREPLY=()\n"
	     "\tif [ \"$COMP_CWORD\" -eq 1 ]; then");
	fputs("\t\t_weirctl_words '", stdout);
	for (size_t i = 0; i < commands_count; i++)
		printf("%s ", commands[i].name);
	puts("--help --version'\n\t\treturn\n\tfi\n\tcase \"${COMP_WORDS[1]} $prev\" in");
	for (size_t i = 0; i < commands_count; i++)
		bash_arguments(&commands[i]);
	puts("\tesac\n\tcase ${COMP_WORDS[1]} in");
	for (size_t i = 0; i < commands_count; i++)
		bash_operands(&commands[i]);
	puts("\tesac\n}\ncomplete -F _weirctl weirctl");
}

/* Text within a single-quoted specification of _arguments. */
static void zsh_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void zsh_word(const char *word, size_t bytes)
{
	char name[64];
	snprintf(name, sizeof(name), "%.*s", (int)bytes, word);
	putchar(':');
	zsh_text(name);
	switch (word_of(word, bytes)) {
	case WORD_FILE:
		fputs(":_files", stdout);
		return;
	case WORD_DIRECTORY:
		fputs(":_files -/", stdout);
		return;
	case WORD_CHOICE:
		fputs(":(", stdout);
		print_choices(word, bytes, ' ');
		putchar(')');
		return;
	default:
		fputs(": ", stdout);
	}
}

static void zsh_command(const struct command_entry *entry)
{
	const struct options *options = &entry->command->options;
	const char *at = options->operands, *word;
	size_t bytes;
	bool optional, repeats;
	printf("\t\t%s)\n\t\t\t_arguments \\\n", entry->name);
	for (size_t i = 0; i < options->rows_count; i++) {
		const struct option_row *row = &options->rows[i];
		printf("\t\t\t\t'--%s[", row->name);
		zsh_text(row->help);
		putchar(']');
		if (row->argument)
			zsh_word(row->argument, strlen(row->argument));
		puts("' \\");
	}
	if (options->actions_count) {
		fputs("\t\t\t\t'1:action:(", stdout);
		for (size_t i = 0; i < options->actions_count; i++)
			printf("%s%s", i ? " " : "", options->actions[i].name);
		puts(")' \\\n\t\t\t\t'*:operand:_files' \\");
	}
	while ((word = options_operand(&at, &bytes, &optional, &repeats))) {
		fputs(repeats ? "\t\t\t\t'*" : optional ? "\t\t\t\t':" : "\t\t\t\t'", stdout);
		zsh_word(word, bytes);
		puts("' \\");
	}
	puts("\t\t\t\t'(-h --help)'{-h,--help}'[say what the options are]'\n\t\t\t;;");
}

static void print_zsh(void)
{
	puts("#compdef weirctl\n"
	     "# zsh completion of weirctl: weirctl completion zsh\n"
	     "_weirctl() {\n"
	     "\tlocal context state state_descr line\n"
	     "\ttypeset -A opt_args\n"
	     "\tlocal -a commands\n"
	     "\tcommands=(");
	for (size_t i = 0; i < commands_count; i++) {
		printf("\t\t'%s:", commands[i].name);
		zsh_text(commands[i].command->options.summary);
		puts("'");
	}
	puts("\t)\n"
	     "\t_arguments -C '--help[say what the commands are]' '--version[print the version]' \\\n"
	     "\t\t'1:command:->command' '*::argument:->arguments'\n"
	     "\tcase $state in\n"
	     "\tcommand) _describe -t commands command commands ;;\n"
	     "\targuments)\n"
	     "\t\tcase $line[1] in");
	for (size_t i = 0; i < commands_count; i++)
		zsh_command(&commands[i]);
	puts("\t\tesac\n\t\t;;\n\tesac\n}\n"
	     "if [ \"$funcstack[1]\" = _weirctl ]; then _weirctl \"$@\"; else compdef _weirctl "
	     "weirctl; fi");
}

static int run(void *self, int count, char **operands)
{
	(void)self;
	(void)count;
	if (strcmp(operands[0], "zsh") == 0)
		print_zsh();
	else
		print_bash();
	return TOOL_OK;
}

static const struct option_action actions[] = {
	{"bash", "", "a script for bash"},
	{"zsh", "", "a script for zsh; as a file _weirctl in $fpath, or sourced"},
};

static const struct option_example examples[] = {
	{"source <(weirctl completion bash)", "Complete in this shell"},
	{"weirctl completion zsh >~/.zfunc/_weirctl", "In each zsh that has ~/.zfunc in its fpath"},
};

const struct command command_completion = {
	.options = {.program = "weirctl completion",
		    .operands = "",
		    .summary = "words for the shell to complete",
		    .description = "A script that lets the shell complete weirctl's commands, "
				   "options and operands. It asks nobody: a Tab costs nothing. "
				   "An installed weir has both scripts where the shells look.",
		    COMMAND_ACTIONS(actions),
		    COMMAND_EXAMPLES(examples)},
	.bytes = 1, /* no options */
	.run = run,
};
