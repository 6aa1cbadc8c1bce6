/*
 * check: assertions that stay on in release. They check our own errors only: bytes from a
 * producer, a disk, a socket or Redis are refused and counted, never asserted.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

/* Abort with file, line and expression: the engine cannot go on without breaking a promise. */
#define check(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

_Noreturn void check_failed(const char *file, int line, const char *expression);

#endif
