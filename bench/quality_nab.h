/*
 * quality_nab: what the files of the question `nab` share: who scores the rows, and what is shown
 * of it.
 */
#ifndef BENCH_QUALITY_NAB_H
#define BENCH_QUALITY_NAB_H

#include "quality_nab_read.h"
#include "quality_nab_score.h"

enum nab_column { NAB_ONSET, NAB_SCORE, NAB_ALARM };

/* All rows of all files by the default detector (0, or negative: said)... */
int nab_detect(struct nab_corpus *corpus, enum nab_column column);

/* ...or by a rival. */
struct nab_rival {
	const char *title, *name;
	int64_t window_ms; /* of sliding ones */
	int kind;          /* enum rival_kind */
	double threshold;  /* as people run it; 0: nobody does */
};

#define NAB_RIVALS 4
extern const struct nab_rival nab_rivals[NAB_RIVALS];
int nab_detect_rival(struct nab_corpus *corpus, const struct nab_rival *rival);

/* Hits, misses and false alarms of each file, in order of time. */
int nab_show_files(const struct nab_corpus *corpus, const struct nab_result *result);

#endif
