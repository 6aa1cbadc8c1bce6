/*
 * quality_nab_read: a folder of the Numenta Anomaly Benchmark, into files with labels.
 *
 *	DIR/windows.json                {"GROUP/FILE.csv": [["first time", "last time"], ...], ...}
 *	DIR/data/GROUP/FILE.csv         timestamp,value: read as weirctl score does (score_file.h)
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
#include "score_file.h"

struct nab_data {
	struct score_shape shape; /* as inferred from the first rows */
	struct score_row *rows;   /* as many as the file has */
};

struct nab_corpus {
	char *folder;
	struct nab_file *files; /* by name */
	struct nab_data *data;  /* [count], what a detector gets to see */
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
