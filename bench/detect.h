/*
 * detect: how long closing an interval takes.
 */
#ifndef BENCH_DETECT_H
#define BENCH_DETECT_H

int detect_main(int argc, char **argv);

#endif
