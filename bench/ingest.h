/*
 * ingest: how many events a second go from emit to a durable file, and is every one there?
 */
#ifndef BENCH_INGEST_H
#define BENCH_INGEST_H

/* argv[0] is "ingest". An exit status, see main.c. */
int ingest_main(int argc, char **argv);

#endif
