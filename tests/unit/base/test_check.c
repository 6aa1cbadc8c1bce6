/* check: what holds costs nothing, what does not ends the process with its name. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

Test(check, of_something_true_does_nothing)
{
	int calls = 0;

	check(++calls == 1);
	cr_assert_eq(calls, 1, "the condition is evaluated once, in release builds too");
}

Test(check, of_something_false_names_place_and_expression_and_aborts)
{
	int pipe_fds[2], status;
	char text[512] = "";

	cr_assert_eq(pipe(pipe_fds), 0);
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(pipe_fds[1], STDERR_FILENO);
		check(1 + 1 == 3);
		_exit(0);
	}
	close(pipe_fds[1]);
	cr_assert_gt(read(pipe_fds[0], text, sizeof(text) - 1), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	cr_assert_not_null(strstr(text, "test_check.c:"), "%s", text);
	cr_assert_not_null(strstr(text, "1 + 1 == 3"), "%s", text);
}
