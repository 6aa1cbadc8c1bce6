/*
 * quality_nab_read: a folder of the Numenta Anomaly Benchmark, into files with labels.
 *
 *	DIR/windows.json                {"GROUP/FILE.csv": [["first time", "last time"], ...], ...}
 *	DIR/data/GROUP/FILE.csv         timestamp,value
 *	RESULTS/GROUP/FILE.csv          timestamp,anomaly_score, row by row those of the data
 *
 * A clone of the benchmark itself is read too: there it is labels/combined_windows.json, and a
 * result file is called DETECTOR_FILE.csv after its folder.
 *
 * Allocates what it returns. What cannot be read is said to stderr, with what to do.
 */
#ifndef BENCH_QUALITY_NAB_READ_H
#define BENCH_QUALITY_NAB_READ_H

#include <stddef.h>

#include "quality_nab_score.h"

struct nab_corpus {
	char *folder;
	struct nab_file *files; /* by name */
	double **values;        /* [count][rows], NaN where a field is blank */
	uint32_t count, rows, windows;
};

/* 0, or negative: said. Scores are all 0. */
int nab_corpus_read(struct nab_corpus *corpus, const char *folder);
void nab_corpus_destroy(struct nab_corpus *corpus);
/* The scores of all files from result files. */
int nab_results_read(struct nab_corpus *corpus, const char *folder);
/* "realTweets"; both of the artificial folders are one. Bytes of the name's beginning. */
size_t nab_group_bytes(const char *name);

#endif
