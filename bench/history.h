/*
 * history: how much room a year takes, and how long a chart's data takes to read.
 */
#ifndef BENCH_HISTORY_H
#define BENCH_HISTORY_H

int history_main(int argc, char **argv);

#endif
