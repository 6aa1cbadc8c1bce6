/*
 * process: children of a test, which never outlive it.
 */
#ifndef SUPPORT_PROCESS_H
#define SUPPORT_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/* A child that is killed when this process ends, however it does. 0 in the child, which has the
 * usual actions for signals that ask it to end. No process: the test ends. */
pid_t process_fork(void);
/* A program as such a child; what it says goes to the end of the file `output` (NULL: nowhere). */
pid_t process_spawn(char *const argv[], const char *output);
/* redis-server without network or persistence, on `directory`/redis.sock, which is there on return;
 * what it says is in redis.log beside it. It is waited for as long as it lives, for some minutes.
 * 0: it is not installed. It does not start: the test ends, failed. */
pid_t process_redis(const char *directory);

void pause_us(uint64_t us);

#endif
