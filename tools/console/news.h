/*
 * news: the book of this console: opened, kept as the store is, and what changes in it told to
 * browsers (event `anomaly`; `reset` where the store is another one).
 *
 * Runs on: follow's thread tells; news_step() on a watcher's.
 */
#ifndef CONSOLE_NEWS_H
#define CONSOLE_NEWS_H

struct console;

/* The book and who follows the store for it. 0 or negative errno. */
int news_open(struct console *console);
/* What the engine says that the store does not: where it is, how far each source is closed, what
 * the metrics are. */
void news_step(struct console *console);
void news_close(struct console *console); /* also where news_open() has failed */

#endif
