/*
 * steps: see steps.h. The processor's trap flag makes a SIGTRAP of every instruction; a handler
 * runs without the flag, and what it sets in the saved flags holds where it returns to. So a raised
 * SIGTRAP begins the steps; the one that strikes ends them, or the first one behind the call.
 */
#include "steps.h"

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __x86_64__

#define TRAP_FLAG 0x100

/* Of the thread that makes steps. */
static _Thread_local struct {
	uint32_t left; /* until it strikes */
	bool over, struck;
	void (*strike)(void);
} going;

static void step(int number, siginfo_t *info, void *context)
{
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];

	(void)number;
	if (info->si_code == SI_TKILL) {
		*flags |= TRAP_FLAG;
	} else if (going.over || going.left-- == 0) {
		*flags &= ~(greg_t)TRAP_FLAG;
		going.struck = !going.over;
		if (going.struck)
			going.strike();
	}
}

bool steps_possible(void)
{
	return true;
}

bool steps_run(void (*call)(void), uint32_t at, void (*strike)(void))
{
	struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO}, before;

	sigaction(SIGTRAP, &action, &before);
	going.left = at;
	going.over = going.struck = false;
	going.strike = strike;
	/* Not by raise(), which may hold signals back: a trap that is held back is the end. */
	syscall(SYS_tgkill, getpid(), gettid(), SIGTRAP);
	call();
	/* Volatile: for the handler, which ends the steps at the next one. */
	*(volatile bool *)&going.over = true;
	sigaction(SIGTRAP, &before, NULL);
	return going.struck;
}

#else

bool steps_possible(void)
{
	return false;
}

bool steps_run(void (*call)(void), uint32_t at, void (*strike)(void))
{
	(void)at;
	(void)strike;
	call();
	return false;
}

#endif
