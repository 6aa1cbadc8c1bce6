/* lockstep: nobody is ahead, and a request to stop lets everybody go. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lockstep.h"
#include "weir/order.h"

#define ROUNDS 300

struct party {
	struct lockstep lockstep;
	uint32_t rounds[4]; /* each written by one party */
	uint32_t ahead;     /* someone saw another in an older round */
};

static void play(struct party *party, int index, int count)
{
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		weir_store_relaxed_32(&party->rounds[index], round);
		if (lockstep_wait(&party->lockstep) < 0)
			return;
		for (int i = 0; i < count; i++) {
			uint32_t other = weir_load_relaxed_32(&party->rounds[i]);
			if (other < round || other > round + 1)
				weir_store_relaxed_32(&party->ahead, 1);
		}
	}
}

struct seat {
	struct party *party;
	int index;
};

static void *sit(void *argument)
{
	struct seat *seat = argument;
	play(seat->party, seat->index, 4);
	return NULL;
}

Test(shop_lockstep, threads_and_processes_stay_within_one_round)
{
	struct party *party = mmap(NULL, sizeof(*party), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_t threads[2];
	struct seat seats[2];
	pid_t pids[2];
	lockstep_init(&party->lockstep, 4);
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			play(party, i, 4);
			_exit(0);
		}
	}
	for (int i = 0; i < 2; i++) {
		seats[i] = (struct seat){party, 2 + i};
		cr_assert_eq(pthread_create(&threads[i], NULL, sit, &seats[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		int status;
		pthread_join(threads[i], NULL);
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_expect_eq(status, 0);
	}
	for (int i = 0; i < 4; i++)
		cr_expect_eq(party->rounds[i], ROUNDS);
	cr_expect_eq(party->ahead, 0);
}

Test(shop_lockstep, a_stop_frees_who_waits_for_a_killed_party)
{
	struct party *party = mmap(NULL, sizeof(*party), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	lockstep_init(&party->lockstep, 2);
	pid_t pid = fork();
	if (pid == 0)
		_exit(lockstep_wait(&party->lockstep) == -ECANCELED ? 7 : 0);
	usleep(20000);
	int status;
	cr_expect_eq(waitpid(pid, &status, WNOHANG), 0, "it waits for the second party");
	lockstep_stop(&party->lockstep);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	cr_expect_eq(lockstep_wait(&party->lockstep), -ECANCELED, "stopped for good");
}
