/*
 * impact: what anomalies cost or brought, exactly: each interval's value less what is expected of
 * it, as the chart has them. The book has an estimate of a few revisions until that is known.
 *
 * Idea:  reckoned beside all else, newest first and a little at a time: over those that go on again
 *        as they do; over those that have ended again, too, the longer ago the more rarely, since
 *        what comes late corrects their intervals, and nobody tells of it. Of what the chart cannot
 *        show at the anomaly's own interval, or says nothing of, what was known stays, or the
 *        estimate.
 * Runs on: a thread of watch.c, which gives way to all others.
 */
#ifndef CONSOLE_IMPACT_H
#define CONSOLE_IMPACT_H

struct console;
struct impact;

struct impact *impact_open(void); /* NULL: no memory */
void impact_close(struct console *console, struct impact *impact);
void impact_step(struct console *console);

#endif
