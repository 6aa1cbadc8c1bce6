/*
 * log: one line to stderr, at the edge only, rate-limited by call site.
 * Form: "<N>part: text" under a service manager (JOURNAL_STREAM set), "weird: part: text" else, or
 * what another program is called.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

struct log_site {
	uint64_t window_s; /* second of the last line */
	uint32_t lines;    /* in that second */
	uint32_t dropped;
};

/* Before there are threads; the name stays where it is. */
void log_set_program(const char *name);
void log_set_level(enum log_level level);
void log_line(struct log_site *site, enum log_level level, const char *part, const char *format,
	      ...) __attribute__((format(printf, 4, 5)));

/* At most ten lines a second from one place; what was held back is said with the next. */
#define log_error(part, ...)                                                                       \
	do {                                                                                       \
		static struct log_site site_;                                                      \
		log_line(&site_, LOG_ERROR, part, __VA_ARGS__);                                    \
	} while (0)
#define log_warning(part, ...)                                                                     \
	do {                                                                                       \
		static struct log_site site_;                                                      \
		log_line(&site_, LOG_WARNING, part, __VA_ARGS__);                                  \
	} while (0)
#define log_info(part, ...)                                                                        \
	do {                                                                                       \
		static struct log_site site_;                                                      \
		log_line(&site_, LOG_INFO, part, __VA_ARGS__);                                     \
	} while (0)

#endif
