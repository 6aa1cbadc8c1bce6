/*
 * scorer: see scorer.h.
 *
 *   source ─┬─ metric ─── rollup ─── observations ─┬─ bank (detector)
 *           │                                      └─ bank
 *           └─ metric ...
 */
#include "scorer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fnv.h"
#include "base/zone.h"
#include "checkpoint.h"
#include "detect/bank.h"
#include "scorer_private.h"
#include "weir/segment.h"

/* The index of a source's own section in a checkpoint: it is no metric's. */
#define SOURCE_SECTION UINT32_MAX

/* Where the revisions of one bank go while it steps. */
struct collector {
	struct scored_list *out;
	int64_t interval;
	uint32_t metric;
	uint32_t ordinal;
	bool failed;
};

void scored_list_init(struct scored_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

void scored_list_free(struct scored_list *list)
{
	while (list->first) {
		struct scored *next = list->first->next;
		free(list->first);
		list->first = next;
	}
	scored_list_init(list);
}

static bool scored_before(const struct scored *a, const struct scored *b)
{
	if (a->interval != b->interval)
		return a->interval < b->interval;
	if (a->metric != b->metric)
		return a->metric < b->metric;
	return a->ordinal < b->ordinal;
}

void scored_list_merge(struct scored_list *into, struct scored_list *from)
{
	struct scored **at = &into->first;

	while (from->first) {
		struct scored *scored = from->first;
		from->first = scored->next;
		while (*at && !scored_before(scored, *at))
			at = &(*at)->next;
		scored->next = *at;
		*at = scored;
		if (!scored->next)
			into->last = &scored->next;
		at = &scored->next;
	}
	scored_list_init(from);
}

static void collect(void *self, const struct anomaly *anomaly)
{
	struct collector *collector = self;
	struct scored *scored = malloc(sizeof(*scored));

	if (!scored) {
		collector->failed = true;
		return;
	}
	*scored = (struct scored){
		.interval = collector->interval,
		.metric = collector->metric,
		.ordinal = collector->ordinal++,
		.anomaly = *anomaly,
	};
	*collector->out->last = scored;
	collector->out->last = &scored->next;
}

static const struct weir_definition *lookup(const void *self, uint32_t series)
{
	return series_get(self, series);
}

struct scorer *scorer_create(uint32_t shard, uint32_t shards, int64_t interval_ms,
			     const struct series_registry *registry)
{
	struct scorer *scorer = calloc(1, sizeof(*scorer));

	check(shard < shards);
	if (!scorer)
		return NULL;
	scorer->shard = shard;
	scorer->shards = shards;
	scorer->interval_ms = interval_ms;
	scorer->registry = registry;
	scored_list_init(&scorer->carried);
	scorer->calendar = calendar_create();
	if (!scorer->calendar) {
		free(scorer);
		return NULL;
	}
	return scorer;
}

static void metric_destroy(struct metric_state *metric)
{
	for (uint32_t i = 0; i < metric->banks_count; i++) {
		bank_destroy(metric->banks[i].bank);
		free(metric->banks[i].key);
	}
	free(metric->banks);
	rollup_destroy(metric->rollup);
	free(metric->key);
	free(metric);
}

static void metrics_destroy(struct metric_state *metrics)
{
	while (metrics) {
		struct metric_state *next = metrics->next;
		metric_destroy(metrics);
		metrics = next;
	}
}

void scorer_destroy(struct scorer *scorer)
{
	if (!scorer)
		return;
	metrics_destroy(scorer->metrics);
	scored_list_free(&scorer->carried);
	calendar_destroy(scorer->calendar);
	scorer_forget_feedback(scorer);
	free(scorer);
}

static enum aggregation aggregation_of(const char *name)
{
	static const char *const names[] = {"count", "sum", "mean", "min", "max", "distinct"};

	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return (enum aggregation)i;
	check(name[0] == 'p'); /* configuration has checked the aggregation */
	return AGGREGATE_PERCENTILE;
}

static void put_term(struct bytes *key, const struct config_metric *metric)
{
	bytes_put_text(key, metric->event);
	bytes_put_text(key, metric->field);
	bytes_put_text(key, metric->agg);
	bytes_put_u32(key, metric->where_count);
	for (unsigned i = 0; i < metric->where_count; i++) {
		const struct config_where *where = &metric->where[i];
		bytes_put_text(key, where->dimension);
		bytes_put_u32(key, where->negated);
		bytes_put_u32(key, where->values_count);
		for (unsigned v = 0; v < where->values_count; v++)
			bytes_put_text(key, where->values[v]);
	}
}

/* The metrics whose values the metric is made of: itself, or the two of a ratio. */
static uint32_t terms_of(const struct config *config, const struct config_metric *metric,
			 const struct config_metric *ret_terms[2])
{
	ret_terms[0] = metric;
	if (metric->event)
		return 1;
	ret_terms[0] = &config->metrics[metric->numerator];
	ret_terms[1] = &config->metrics[metric->denominator];
	return 2;
}

uint64_t scorer_spec(const struct config *config, unsigned metric)
{
	const struct config_metric *terms[2];
	uint32_t count = terms_of(config, &config->metrics[metric], terms);
	struct bytes text = {0};

	for (uint32_t i = 0; i < count; i++)
		put_term(&text, terms[i]);
	check(!text.failed);
	uint64_t spec = fnv(FNV_BEGIN, text.data, text.used);
	bytes_fini(&text);
	return spec;
}

static void recorder_begin(struct scorer *scorer, uint32_t index, struct recorder *recorder)
{
	const struct config_metric *terms[2];
	uint32_t count = terms_of(scorer->config, &scorer->config->metrics[index], terms);

	/* Under a new number nothing has been named yet: rows without a name are left out. */
	*recorder = (struct recorder){0};
	for (uint32_t i = 0; i < count; i++)
		if (count == 2 && strcmp(terms[i]->agg, "sum") == 0)
			recorder->sums |= 1u << i;
	recorder->spec = scorer_spec(scorer->config, index);
	recorder->number = scorer->recorders++ * scorer->shards + scorer->shard;
}

static void put_spec(struct bytes *key, const struct config *config,
		     const struct config_metric *metric)
{
	const struct config_metric *terms[2];
	uint32_t terms_count = terms_of(config, metric, terms);

	bytes_put_text(key, metric->name);
	bytes_put_u32(key, terms_count);
	for (uint32_t i = 0; i < terms_count; i++)
		put_term(key, terms[i]);
	bytes_put_u32(key, config->slices_max);
	bytes_put_text(key, metric->empty);
	for (unsigned i = 0; i < metric->by_count; i++) {
		bytes_put_u32(key, metric->by[i].dimensions_count);
		for (unsigned d = 0; d < metric->by[i].dimensions_count; d++)
			bytes_put_text(key, metric->by[i].dimensions[d]);
	}
}

static void term_spec(const struct config_metric *metric, struct rollup_term *term)
{
	_Static_assert(CONFIG_WHERE_MAX == ROLLUP_WHERE_MAX, "what is configured has room");
	term->event = metric->event;
	term->field = metric->field;
	term->aggregation = aggregation_of(metric->agg);
	term->where_count = metric->where_count;
	for (unsigned i = 0; i < metric->where_count; i++)
		term->where[i] = (struct rollup_where){
			.dimension = metric->where[i].dimension,
			.values = (const char *const *)metric->where[i].values,
			.values_count = metric->where[i].values_count,
			.negated = metric->where[i].negated,
		};
}

static struct rollup *make_rollup(const struct scorer *scorer, const struct config_metric *metric,
				  uint32_t source)
{
	const struct config_metric *terms[2];
	struct rollup_spec spec = {
		.metric = metric->name,
		.terms_count = terms_of(scorer->config, metric, terms),
		.quantile = metric->quantile,
		.empty_is_missing = strcmp(metric->empty, "missing") == 0,
		.rollups = metric->by_count,
		.slices_max = scorer->config->slices_max,
	};

	for (uint32_t i = 0; i < spec.terms_count; i++)
		term_spec(terms[i], &spec.terms[i]);
	check(metric->by_count <= sizeof(spec.by) / sizeof(spec.by[0]));
	for (unsigned i = 0; i < metric->by_count; i++) {
		spec.by[i].dimensions = metric->by[i].dimensions_count;
		for (unsigned d = 0; d < metric->by[i].dimensions_count; d++)
			spec.by[i].names[d] = metric->by[i].dimensions[d];
	}
	return rollup_create(&spec, scorer->sources[source].name, source, scorer->interval_ms,
			     lookup, scorer->registry);
}

static enum detector_kind detector_kind_of(const char *name)
{
	static const char *const names[] = {
		[DETECTOR_WINDOW] = "window",
		[DETECTOR_ABSENCE] = "absence",
		[DETECTOR_SEASONAL] = "seasonal",
		[DETECTOR_RULE] = "rule",
	};

	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return (enum detector_kind)i;
	check(!"configuration has checked the kind");
	return DETECTOR_SEASONAL;
}

/* NULL: a kind without one. */
static enum detector_baseline baseline_of(const char *name)
{
	if (name && strcmp(name, "last_week") == 0)
		return BASELINE_LAST_WEEK;
	if (name && strcmp(name, "last_year") == 0)
		return BASELINE_LAST_YEAR;
	return BASELINE_RECENT;
}

/* Padding is zeroed too: specifications are compared as bytes. */
void scorer_detector_spec(const struct config_detector *detector, struct detector_spec *spec)
{
	memset(spec, 0, sizeof(*spec));
	strncpy(spec->name, detector->name, sizeof(spec->name) - 1);
	strncpy(spec->metric, detector->metric, sizeof(spec->metric) - 1);
	spec->kind = detector_kind_of(detector->kind);
	spec->direction = strcmp(detector->direction, "up") == 0     ? DIRECTION_UP
			  : strcmp(detector->direction, "down") == 0 ? DIRECTION_DOWN
								     : DIRECTION_BOTH;
	spec->severity = detector->severity;
	spec->min_volume = detector->min_volume;
	spec->for_intervals = detector->for_intervals;
	spec->recover_intervals = detector->recover_intervals;
	spec->window = detector->window_intervals;
	spec->k = detector->k;
	spec->learn_intervals = detector->learn_intervals;
	spec->absent_intervals = detector->absent_intervals;
	spec->cooldown_intervals = detector->cooldown_intervals;
	spec->min_delta = detector->min_delta;
	spec->frequency_ms = detector->frequency_ms;
	spec->baseline = baseline_of(detector->baseline);
	spec->up_percent = detector->up_percent;
	spec->down_percent = detector->down_percent;
	spec->above = detector->above;
	spec->below = detector->below;
	spec->growth_drop = detector->growth_drop;
	spec->zone = detector->zone;
	_Static_assert(sizeof(spec->resolutions_ms) == sizeof(detector->resolutions_ms),
		       "what is configured has room");
	memcpy(spec->resolutions_ms, detector->resolutions_ms, sizeof(spec->resolutions_ms));
}

/* The key of a bank: all of its specification, zero-padded, so equal bytes mean equal detectors;
 * and its zone's name, since where the rules lie says nothing. */
static char *spec_key(const struct detector_spec *spec)
{
	struct detector_spec placeless;
	char name[ZONE_NAME_MAX + 1] = {0};
	struct bytes bytes = {0};

	memcpy(&placeless, spec, sizeof(placeless)); /* its padding too */
	placeless.zone = NULL;
	strncpy(name, zone_name(spec->zone), ZONE_NAME_MAX);
	bytes_put(&bytes, &placeless, sizeof(placeless));
	bytes_put(&bytes, name, sizeof(name));
	if (bytes.failed)
		bytes_fini(&bytes);
	return (char *)bytes.data;
}

#define SPEC_KEY_BYTES (sizeof(struct detector_spec) + ZONE_NAME_MAX + 1)

static struct metric_state *find(struct metric_state *metrics, uint32_t source, const char *key)
{
	for (struct metric_state *m = metrics; m; m = m->next)
		if (m->source == source && strcmp(m->key, key) == 0)
			return m;
	return NULL;
}

static char *hex(const struct bytes *bytes)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(bytes->used * 2 + 1);

	if (!text)
		return NULL;
	for (size_t i = 0; i < bytes->used; i++) {
		text[2 * i] = digits[bytes->data[i] >> 4];
		text[2 * i + 1] = digits[bytes->data[i] & 15];
	}
	text[bytes->used * 2] = '\0';
	return text;
}

/* Take the bank of an equal detector out of the old metric, or make one. */
static struct bank *claim_bank(struct metric_state *old, const struct detector_spec *spec,
			       const char *key)
{
	for (uint32_t i = 0; old && i < old->banks_count; i++) {
		if (!old->banks[i].bank || memcmp(old->banks[i].key, key, SPEC_KEY_BYTES) != 0)
			continue;
		struct bank *bank = old->banks[i].bank;
		/* The rules may be newer ones. */
		if (bank_zone(bank, spec->zone) < 0)
			return NULL;
		old->banks[i].bank = NULL;
		return bank;
	}
	return bank_create(spec);
}

static int fill_banks(struct metric_state *metric, const struct config *config,
		      const struct calendar *calendar, const char *metric_name,
		      struct metric_state *old)
{
	metric->banks = calloc(config->detectors_count + 1, sizeof(metric->banks[0]));
	if (!metric->banks)
		return -ENOMEM;
	for (unsigned i = 0; i < config->detectors_count; i++) {
		if (strcmp(config->detectors[i].metric, metric_name) != 0)
			continue;
		struct detector_spec spec;
		scorer_detector_spec(&config->detectors[i], &spec);
		struct bank_state *bank = &metric->banks[metric->banks_count++];
		bank->key = spec_key(&spec);
		bank->bank = bank->key ? claim_bank(old, &spec, bank->key) : NULL;
		if (!bank->bank)
			return -ENOMEM;
		bank_calendar(bank->bank, calendar);
	}
	return 0;
}

static struct metric_state *make_metric(struct scorer *scorer, uint32_t index, uint32_t source,
					struct metric_state *olds)
{
	const struct config_metric *config = &scorer->config->metrics[index];
	struct metric_state *metric = calloc(1, sizeof(*metric));
	struct bytes key = {0};

	if (!metric)
		return NULL;
	put_spec(&key, scorer->config, config);
	metric->index = index;
	metric->source = source;
	metric->key = key.failed ? NULL : hex(&key);
	bytes_fini(&key);
	struct metric_state *old = metric->key ? find(olds, source, metric->key) : NULL;
	if (old) {
		metric->rollup = old->rollup;
		metric->recorder = old->recorder;
		metric->last = old->last;
		metric->scored = old->scored;
		old->rollup = NULL;
	} else if (metric->key) {
		recorder_begin(scorer, index, &metric->recorder);
		metric->rollup = make_rollup(scorer, config, source);
	}
	if (!metric->rollup ||
	    fill_banks(metric, scorer->config, scorer->calendar, config->name, old) < 0) {
		metric_destroy(metric);
		return NULL;
	}
	return metric;
}

/* What was not claimed is over: its firing anomalies are resolved. Their place is before all that
 * the next close brings, whichever source it is of. */
static void end_metric(struct metric_state *old, struct scored_list *out)
{
	struct scored_list list;
	struct collector collector = {.out = &list, .interval = INT64_MIN, .metric = old->index};

	scored_list_init(&list);
	for (uint32_t i = 0; i < old->banks_count; i++)
		if (old->banks[i].bank && old->scored)
			bank_end(old->banks[i].bank, old->last, collect, &collector);
	scored_list_merge(out, &list);
}

/* By its name, so that its state stays in its shard whatever a configuration puts before it: a
 * replay with another number of shards must keep the same states. */
bool scorer_owns(const struct scorer *scorer, const char *metric)
{
	uint32_t hash = UINT32_C(2166136261);

	for (const char *at = metric; *at; at++)
		hash = (hash ^ (uint8_t)*at) * UINT32_C(16777619);
	return (hash ^ hash >> 16) % scorer->shards == scorer->shard;
}

static int make_metrics(struct scorer *scorer, uint32_t source, struct metric_state *olds)
{
	struct metric_state **at = &scorer->metrics;

	while (*at && (*at)->source < source)
		at = &(*at)->next;
	for (uint32_t i = 0; i < scorer->config->metrics_count; i++) {
		if (!scorer_owns(scorer, scorer->config->metrics[i].name))
			continue;
		struct metric_state *metric = make_metric(scorer, i, source, olds);
		if (!metric)
			return -ENOMEM;
		metric->next = *at;
		*at = metric;
		at = &metric->next;
	}
	return 0;
}

int scorer_configure(struct scorer *scorer, const struct config *config)
{
	struct metric_state *olds = scorer->metrics;
	int error = 0;

	scorer->config = config;
	scorer->metrics = NULL;
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX && !error; s++)
		if (scorer->sources[s].known)
			error = make_metrics(scorer, s, olds);
	for (struct metric_state *old = olds; old && !error; old = old->next)
		end_metric(old, &scorer->carried);
	metrics_destroy(olds);
	if (!error)
		scorer_hand_out(scorer);
	return error;
}

static int load(struct scorer *scorer, struct bytes_reader *in, bool inputs);

int scorer_rebase(struct scorer *scorer, uint32_t source, const struct bytes *sections)
{
	struct bytes_reader in = {.data = sections->data, .left = sections->used};

	for (struct metric_state *m = scorer->metrics; m; m = m->next) {
		if (m->source != source)
			continue;
		end_metric(m, &scorer->carried);
		/* Slices have other numbers from here on: the history hears of them anew. */
		recorder_begin(scorer, m->index, &m->recorder);
	}
	/* What operators said in the rebase is what it lived through, not what is in force. */
	return load(scorer, &in, false);
}

int scorer_source(struct scorer *scorer, uint32_t number, const char *name)
{
	check(number < WEIR_SOURCES_MAX);
	if (scorer->sources[number].known)
		return 0;
	scorer->sources[number].known = true;
	scorer->sources[number].gaps.left = GAPS_MAX;
	strncpy(scorer->sources[number].name, name, WEIR_SOURCE_NAME_BYTES - 1);
	int error = scorer->config ? make_metrics(scorer, number, NULL) : 0;
	if (!error)
		scorer_hand_out(scorer);
	return error;
}

/* What the detectors of a metric are and have said. */
static void tell(const struct scorer *scorer, const struct metric_state *m,
		 const struct observations *observations, scorer_each *each, void *self)
{
	const struct config_metric *metric = &scorer->config->metrics[m->index];
	struct scorer_detail detail = {
		.metric = metric,
		.source = scorer->sources[m->source].name,
		.through_ms = m->scored ? (m->last + 1) * scorer->interval_ms : 0,
		.observations = observations,
	};

	/* The banks are in the order in which fill_banks() met the metric's detectors. */
	for (uint32_t i = 0, d = 0; i < m->banks_count; i++, d++) {
		while (strcmp(scorer->config->detectors[d].metric, metric->name) != 0)
			d++;
		detail.detector = &scorer->config->detectors[d];
		detail.bank = m->banks[i].bank;
		each(self, &detail);
	}
}

/* One interval of one metric, whose partials (if any) are first..until. */
static int score(const struct scorer *scorer, struct metric_state *metric, int64_t interval,
		 uint32_t flags, const struct partial *first, const struct partial *until,
		 struct scored_list *out)
{
	struct collector collector = {.out = out, .interval = interval, .metric = metric->index};
	uint32_t observation_flags = flags & WEIR_CLOSE_INCOMPLETE ? OBSERVATION_INCOMPLETE : 0;

	for (const struct partial *partial = first; partial != until; partial = partial->next)
		rollup_apply(metric->rollup, partial);
	const struct observations *observations = rollup_close(metric->rollup, interval,
							       observation_flags);
	for (uint32_t i = 0; i < metric->banks_count; i++) {
		int error = bank_step(metric->banks[i].bank, observations, collect, &collector);
		if (error < 0)
			return error;
	}
	if (scorer->rows)
		recorder_close(&metric->recorder, metric->rollup, observations, scorer->rows);
	metric->last = interval;
	metric->scored = true;
	if (scorer->watch)
		tell(scorer, metric, observations, scorer->watch, scorer->watch_self);
	return collector.failed ? -ENOMEM : 0;
}

void scorer_watch(struct scorer *scorer, scorer_each *each, void *self)
{
	scorer->watch = each;
	scorer->watch_self = self;
}

void scorer_record(struct scorer *scorer, struct history_rows *rows)
{
	scorer->rows = rows;
}

int scorer_close(struct scorer *scorer, const struct close_job *job, struct scored_list *out)
{
	struct source_state *source = &scorer->sources[job->source];
	const struct partial *at = job->partials;
	int64_t interval = job->from;
	int64_t empty = 0;

	if (scorer_source(scorer, job->source, job->source_name) < 0)
		return -ENOMEM;
	scored_list_merge(out, &scorer->carried);
	while (interval <= job->through) {
		const struct partial *first = at;
		while (at && at->interval <= interval)
			at = at->next;
		empty = first == at ? empty + 1 : 0;
		if (!empty)
			gaps_earn(&source->gaps);
		if (empty && !gaps_score(&source->gaps, empty)) {
			if (!at)
				break;
			interval = at->interval;
			continue;
		}
		if (scorer->rows)
			history_rows_interval(scorer->rows, interval,
					      job->flags & WEIR_CLOSE_INCOMPLETE);
		for (struct metric_state *m = scorer->metrics; m; m = m->next) {
			if (m->source != job->source)
				continue;
			int error = score(scorer, m, interval, job->flags, first, at, out);
			if (error < 0)
				return error;
		}
		interval++;
	}
	return 0;
}

void scorer_save(const struct scorer *scorer, struct bytes *out)
{
	for (const struct metric_state *m = scorer->metrics; m; m = m->next) {
		struct bytes body = {0};
		rollup_save(m->rollup, &body);
		bytes_put_u64(&body, (uint64_t)m->last);
		bytes_put_u32(&body, m->scored);
		for (uint32_t i = 0; i < m->banks_count; i++)
			bank_save(m->banks[i].bank, &body);
		bytes_put_u32(out, m->source);
		bytes_put_u32(out, m->index);
		bytes_put_u64(out, body.used);
		bytes_put(out, body.data, body.used);
		out->failed |= body.failed;
		bytes_fini(&body);
	}
	scorer_save_calendar(scorer, out);
	/* Every shard says this; it is the same. */
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++) {
		if (!scorer->sources[s].known)
			continue;
		bytes_put_u32(out, s);
		bytes_put_u32(out, SOURCE_SECTION);
		bytes_put_u64(out, sizeof(uint64_t));
		bytes_put_u64(out, scorer->sources[s].gaps.left);
	}
	scorer_save_feedback(scorer, out);
}

static int load_source(struct source_state *source, struct bytes_reader *in)
{
	uint64_t left = bytes_get_u64(in);

	source->gaps.left = (uint32_t)left;
	return in->failed || in->left || left > GAPS_MAX ? -EPROTO : 0;
}

static int load_metric(struct metric_state *metric, int64_t interval_ms, struct bytes_reader *in)
{
	int error = rollup_load(metric->rollup, in);

	if (error < 0)
		return error;
	metric->last = (int64_t)bytes_get_u64(in);
	metric->scored = bytes_get_u32(in) != 0;
	for (uint32_t i = 0; i < metric->banks_count; i++) {
		struct bank *bank = metric->banks[i].bank;
		error = bank_load(bank, in);
		if (error < 0)
			return error;
		/* Its numbers of intervals would be other times. */
		if (bank_interval_ms(bank) != 0 && bank_interval_ms(bank) != interval_ms)
			return -EPROTO;
	}
	return in->failed || in->left ? -EPROTO : 0;
}

/* Sources and metrics; with the calendar, where the sections are all of a checkpoint. */
static int load(struct scorer *scorer, struct bytes_reader *in, bool inputs)
{
	while (in->left && !in->failed) {
		uint32_t source = bytes_get_u32(in);
		uint32_t index = bytes_get_u32(in);
		uint64_t bytes = bytes_get_u64(in);
		const void *data = bytes_get(in, bytes);
		if (!data)
			return -EPROTO;
		struct bytes_reader own = {.data = data, .left = bytes};
		if (source < WEIR_SOURCES_MAX && index == SOURCE_SECTION &&
		    load_source(&scorer->sources[source], &own) < 0)
			return -EPROTO;
		if (inputs && source == SECTION_CALENDAR) {
			int error = calendar_load(scorer->calendar, &own);
			if (error < 0 || own.left)
				return error < 0 ? error : -EPROTO;
		}
		int error = inputs && index == FEEDBACK_SECTION
				    ? scorer_load_feedback(scorer, source, &own)
				    : 0;
		if (error < 0)
			return error;
		for (struct metric_state *m = scorer->metrics; m; m = m->next) {
			struct bytes_reader body = {.data = data, .left = bytes};
			if (m->source == source && m->index == index &&
			    load_metric(m, scorer->interval_ms, &body) < 0)
				return -EPROTO;
		}
	}
	if (in->failed)
		return -EPROTO;
	scorer_hand_out(scorer);
	return 0;
}

int scorer_load(struct scorer *scorer, struct bytes_reader *in)
{
	return load(scorer, in, true);
}

void scorer_status(const struct scorer *scorer, struct scorer_status *ret_status)
{
	struct scorer_status status = {0};

	for (const struct metric_state *m = scorer->metrics; m; m = m->next) {
		status.overflowed += rollup_overflowed(m->rollup);
		for (uint32_t i = 0; i < m->banks_count; i++) {
			uint64_t seen, wanted;
			bank_learning(m->banks[i].bank, &seen, &wanted);
			status.learning += seen < wanted;
			status.banks++;
			status.bytes += bank_bytes(m->banks[i].bank);
		}
	}
	*ret_status = status;
}

void scorer_details(const struct scorer *scorer, scorer_each *each, void *self)
{
	for (const struct metric_state *m = scorer->metrics; m; m = m->next)
		tell(scorer, m, NULL, each, self);
}
