/*
 * limits: every bound, with its unit and its reason. Reaching one has a counter or an error text
 * and a defined result; nothing grows without one.
 */
#ifndef WEIR_LIMITS_H
#define WEIR_LIMITS_H

/* Engine series ids: 22 bits in an event; id 0 is never valid. */
#define WEIR_SERIES_MAX ((1u << 22) - 1)
/* Series of one producer by default: a region of 4 MiB holds about that many definitions. */
#define WEIR_PRODUCER_SERIES_DEFAULT (1u << 16)
/* Bytes of a region's series table by default and at most (a memfd, allocated at open). */
#define WEIR_TABLE_BYTES_DEFAULT (4u << 20)
#define WEIR_TABLE_BYTES_MAX (512u << 20)

/* Dimensions of a series: country, device, channel, campaign, ... GA4 reports use up to nine. */
#define WEIR_DIMENSIONS_MAX 16
/* Bytes of an event name, field or dimension name, and of a dimension value, without a NUL. */
#define WEIR_NAME_BYTES_MAX 64
#define WEIR_LABEL_BYTES_MAX 256
/* Bytes of one definition record: header, names, and 16 dimensions at their longest, rounded. */
#define WEIR_DEFINITION_BYTES_MAX 6144

/* Rings of one region: one per thread that ever emitted at the same time. */
#define WEIR_RINGS_MAX 256
/* Events of one ring: 64 events keep a test small, 4Mi (64 MiB) is more than any disk stall. */
#define WEIR_RING_EVENTS_MIN 64u
#define WEIR_RING_EVENTS_DEFAULT (64u << 10)
#define WEIR_RING_EVENTS_MAX (4u << 20)

/* Sources in one data directory (clock, name); each costs a set of cells per lane. */
#define WEIR_SOURCES_MAX 16
#define WEIR_SOURCE_NAME_BYTES 32
/* Lanes and shards: more than the cores of any machine this will meet. */
#define WEIR_LANES_MAX 32
#define WEIR_SHARDS_MAX 32
/* Producers attached at once, in all and per user: a mapping and two descriptors each. */
#define WEIR_PRODUCERS_MAX 1024

/* Bytes of a block at most: 256 KiB keeps a ring of 256Ki events ahead of eight in flight. */
#define WEIR_BLOCK_BYTES_MAX (256u << 10)
#define WEIR_BLOCK_ALIGN 4096u
/* Runs (rings visited, marks) in one block; the table is copied behind the events. */
#define WEIR_BLOCK_RUNS_MAX 512u
/* Bytes of a segment file. */
#define WEIR_SEGMENT_BYTES_MIN (1u << 20)
#define WEIR_SEGMENT_BYTES_DEFAULT (128u << 20)
/* Files of a lane written ahead or kept for use again: 32 GiB of the default size, some 20 s at the
 * highest rates. */
#define WEIR_SPARES_MAX 256u

/* Intervals open at once on a lane for one source: what is further ahead than this is "future". */
#define WEIR_OPEN_INTERVALS_MAX 8
/* Cells (interval, series) of late events between two marks of a lane for one source: 15 MB. What
 * is over it stays in the log and is counted, but does not correct the history. */
#define WEIR_LATE_CELLS_MAX (1u << 18)
/* Sketches of one interval on one lane, and of the late cells of one mark: a usual one has 4 to
 * 16 KiB. A cell over it has none, and metrics that need it have no value for that interval. */
#define WEIR_SKETCHES_MAX (1u << 14)
#define WEIR_LATE_SKETCHES_MAX (1u << 12)

#endif
