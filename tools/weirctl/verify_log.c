/*
 * verify_log: the files of one log, and the chain of blocks that are in force.
 *
 * Idea:  first every good block of every file is found, by its checksums alone, in whatever order.
 *        Then the blocks are put in order of LSN, what a newer epoch voids is left out, and the
 *        chain is followed: an LSN that is missing and had been called durable is a gap, the first
 *        one that is missing and had not is the end.
 *
 *   epoch 1, a file:  10 11 12 13 -- 15 16          base 10, 14 was torn
 *   epoch 2, a file:              14 15 16 17       base 14: voids 15, 16 of epoch 1
 *   chain:            10 11 12 13 14 15 16 17
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verify_private.h"

/* LSNs above are no number a log can reach; sums with them do not overflow. */
#define LSN_MAX (UINT64_C(1) << 62)

/* A file being read from front to back, a piece at a time. */
struct scan {
	struct verify *verify;
	struct verify_log *log;
	struct verify_file *file;
	uint32_t index;
	int fd;
	uint64_t start, end; /* of what is in verify->buffer */
	uint64_t events;
	bool searching; /* behind something that is no good block */
};

/* `bytes` at `offset`, or NULL: they cannot be read. */
static const uint8_t *view(struct scan *scan, uint64_t offset, size_t bytes)
{
	if (offset < scan->start || offset + bytes > scan->end) {
		ssize_t got = pread(scan->fd, scan->verify->buffer, VERIFY_BUFFER_BYTES,
				    (off_t)offset);
		scan->start = offset;
		scan->end = offset + (got > 0 ? (uint64_t)got : 0);
		if (got < 0 && errno == EIO) {
			verify_say(scan->verify, VERIFY_FINDING,
				   "%s/%s: the disk cannot read it at byte %llu",
				   scan->log->directory, scan->file->name,
				   (unsigned long long)offset);
			scan->file->damaged = true;
		}
	}
	return offset + bytes <= scan->end ? scan->verify->buffer + (offset - scan->start) : NULL;
}

static int refuse(struct scan *scan, const char *text)
{
	snprintf(scan->verify->why, scan->verify->why_bytes, "%s/%s: %s", scan->log->directory,
		 scan->file->name, text);
	return -EPROTONOSUPPORT;
}

static bool add_claim(struct scan *scan, uint64_t lsn, uint64_t offset)
{
	struct verify_log *log = scan->log;

	if (!verify_grow(&log->claims, log->claims_count, sizeof(*log->claims)))
		return false;
	log->claims[log->claims_count++] = (struct verify_claim){
		.lsn = lsn,
		.file = scan->index,
		.page = (uint32_t)(offset / VERIFY_PAGE),
	};
	return true;
}

static bool crc_good(const struct weir_block_header *header)
{
	return verify_crc32c(0, header, offsetof(struct weir_block_header, header_crc)) ==
	       header->header_crc;
}

static bool header_good(const struct scan *scan, const struct weir_block_header *header,
			uint64_t offset)
{
	return crc_good(header) && header->magic == WEIR_BLOCK_MAGIC &&
	       header->segment_id == scan->file->id &&
	       header->payload_bytes <= WEIR_BLOCK_BYTES_MAX - sizeof(*header) &&
	       offset + weir_block_disk_bytes(header->payload_bytes) <= scan->file->bytes &&
	       header->lsn != 0 && header->lsn < LSN_MAX;
}

/* The file's first block. */
static int take_segment(struct scan *scan, const struct weir_block_header *header,
			const uint8_t *payload)
{
	struct weir_segment_info info;
	struct verify_file *file = scan->file;

	if (header->payload_bytes < sizeof(info)) {
		verify_say(scan->verify, VERIFY_FINDING, "%s/%s: its first block is too short",
			   scan->log->directory, file->name);
		return 0;
	}
	memcpy(&info, payload, sizeof(info));
	if (info.format_major != WEIR_FORMAT_MAJOR)
		return refuse(scan, "written in another major format: use the weirctl of that "
				    "version");
	if (info.base_lsn != header->lsn)
		verify_say(scan->verify, VERIFY_FINDING,
			   "%s/%s: its base LSN is said to be %llu and %llu", scan->log->directory,
			   file->name, (unsigned long long)info.base_lsn,
			   (unsigned long long)header->lsn);
	if (scan->verify->have_uuid &&
	    memcmp(scan->verify->store_uuid, info.store_uuid, sizeof(info.store_uuid)) != 0)
		verify_say(scan->verify, VERIFY_FINDING, "%s/%s: belongs to another store",
			   scan->log->directory, file->name);
	memcpy(scan->verify->store_uuid, info.store_uuid, sizeof(info.store_uuid));
	scan->verify->have_uuid = true;
	if (file->bytes < info.file_bytes)
		verify_say(scan->verify, VERIFY_NOTE, "%s/%s: has %llu bytes, was made with %llu",
			   scan->log->directory, file->name, (unsigned long long)file->bytes,
			   (unsigned long long)info.file_bytes);
	file->base_lsn = info.base_lsn;
	file->created_ms = info.created_ms;
	file->epoch = header->epoch;
	file->ordinal = info.serial;
	file->continues = info.flags & WEIR_SEGMENT_CONTINUES;
	file->headless = false;
	return 0;
}

static void take_footer(struct scan *scan, const struct weir_block_header *header,
			const uint8_t *payload)
{
	struct weir_footer footer;
	struct verify_file *file = scan->file;

	file->footed = true;
	if (header->payload_bytes < sizeof(footer)) {
		verify_say(scan->verify, VERIFY_FINDING, "%s/%s: its footer is too short",
			   scan->log->directory, file->name);
		return;
	}
	memcpy(&footer, payload, sizeof(footer));
	file->footer_lsn = footer.last_lsn < LSN_MAX ? footer.last_lsn : 0;
	/* Where blocks are bad the sums cannot agree; that is said of those blocks. */
	if (!file->damaged && (footer.blocks != file->blocks || footer.events != scan->events ||
			       (file->blocks && footer.last_lsn != file->last_lsn)))
		verify_say(
			scan->verify, VERIFY_FINDING,
			"%s/%s: its footer counts %llu blocks, %llu events, last LSN %llu; there "
			"are %llu, %llu, %llu",
			scan->log->directory, file->name, (unsigned long long)footer.blocks,
			(unsigned long long)footer.events, (unsigned long long)footer.last_lsn,
			(unsigned long long)file->blocks, (unsigned long long)scan->events,
			(unsigned long long)file->last_lsn);
}

static int take_place(struct scan *scan, const struct weir_block_header *header, uint64_t offset)
{
	struct verify_log *log = scan->log;
	struct verify_file *file = scan->file;

	if (header->lsn < file->base_lsn || (file->last_lsn && header->lsn <= file->last_lsn))
		verify_say(scan->verify, VERIFY_FINDING,
			   "%s/%s: block %llu does not belong behind block %llu", log->directory,
			   file->name, (unsigned long long)header->lsn,
			   (unsigned long long)file->last_lsn);
	if (file->last_lsn && header->lsn > file->last_lsn + 1)
		file->damaged = true;
	if (header->durable_lsn >= header->lsn)
		verify_say(scan->verify, VERIFY_FINDING,
			   "%s/%s: block %llu calls %llu durable, itself or beyond", log->directory,
			   file->name, (unsigned long long)header->lsn,
			   (unsigned long long)header->durable_lsn);
	if (!file->first_lsn)
		file->first_lsn = header->lsn;
	file->last_lsn = header->lsn;
	file->blocks++;
	scan->events += header->type == WEIR_BLOCK_EVENTS ? header->count : 0;
	if (!verify_grow(&log->places, log->places_count, sizeof(*log->places)))
		return -ENOMEM;
	log->places[log->places_count++] = (struct verify_place){
		.lsn = header->lsn,
		.durable_lsn = header->durable_lsn,
		.epoch = header->epoch,
		.file = scan->index,
		.page = (uint32_t)(offset / VERIFY_PAGE),
		.payload_crc = header->payload_crc,
		.payload_bytes = header->payload_bytes,
		.count = header->count,
		.runs = header->runs,
		.type = header->type,
	};
	return 0;
}

static int take_block(struct scan *scan, const struct weir_block_header *header,
		      const uint8_t *payload, uint64_t offset)
{
	if (header->incompat)
		return refuse(scan, "has format flags that this version does not know: use a newer "
				    "weirctl");
	if ((header->type == WEIR_BLOCK_SEGMENT) != (offset == 0))
		verify_say(scan->verify, VERIFY_FINDING, "%s/%s: a block of type %u at byte %llu",
			   scan->log->directory, scan->file->name, header->type,
			   (unsigned long long)offset);
	if (header->type == WEIR_BLOCK_SEGMENT)
		return take_segment(scan, header, payload);
	if (header->type == WEIR_BLOCK_FOOTER) {
		take_footer(scan, header, payload);
		return 0;
	}
	return take_place(scan, header, offset);
}

/* Where to look next behind something that is no block: holes have none. */
static uint64_t skip_hole(const struct scan *scan, uint64_t offset)
{
	off_t data = lseek(scan->fd, (off_t)offset, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? scan->file->bytes : offset;
	return (uint64_t)data & ~(uint64_t)(VERIFY_PAGE - 1);
}

/* One look at `offset`. Where to look next, or negative errno. */
static int64_t scan_at(struct scan *scan, uint64_t offset)
{
	struct weir_block_header header;
	const uint8_t *page = view(scan, offset, VERIFY_PAGE);

	if (!page)
		return (int64_t)(offset + VERIFY_PAGE);
	memcpy(&header, page, sizeof(header));
	/* A whole block with another id is a leftover of the file's former life. */
	bool ours = header.segment_id == scan->file->id;
	if (!ours && (header.magic != WEIR_BLOCK_MAGIC || crc_good(&header))) {
		scan->searching = true;
		return (int64_t)skip_hole(scan, offset + VERIFY_PAGE);
	}
	uint64_t lsn = scan->file->last_lsn ? scan->file->last_lsn + 1 : scan->file->base_lsn;
	if (!header_good(scan, &header, offset)) {
		scan->searching = true;
		return add_claim(scan, lsn, offset) ? (int64_t)(offset + VERIFY_PAGE) : -ENOMEM;
	}
	if (header.lane != scan->log->lane || header.epoch == 0 ||
	    (scan->file->epoch && header.epoch != scan->file->epoch)) {
		verify_say(scan->verify, VERIFY_FINDING,
			   "%s/%s: block %llu is of lane %u and epoch %u, the file of %u and %u",
			   scan->log->directory, scan->file->name, (unsigned long long)header.lsn,
			   header.lane, header.epoch, scan->log->lane, scan->file->epoch);
		scan->searching = true;
		return add_claim(scan, lsn, offset) ? (int64_t)(offset + VERIFY_PAGE) : -ENOMEM;
	}
	/* Where the first block is lost, the next header says nearly as much. */
	if (offset > 0 && !scan->file->epoch) {
		scan->file->began_durable_lsn = header.durable_lsn;
		scan->file->base_lsn = header.lsn;
		scan->file->epoch = header.epoch;
	}
	/* The header is good and may be believed, also where its payload is not. */
	if (header.durable_lsn > scan->file->durable_lsn && header.durable_lsn < header.lsn)
		scan->file->durable_lsn = header.durable_lsn;
	uint64_t disk_bytes = weir_block_disk_bytes(header.payload_bytes);
	const uint8_t *block = view(scan, offset, disk_bytes);
	if (!block ||
	    verify_crc32c(0, block + sizeof(header), header.payload_bytes) != header.payload_crc) {
		scan->searching = true;
		return add_claim(scan, header.lsn, offset) ? (int64_t)(offset + disk_bytes)
							   : -ENOMEM;
	}
	scan->file->damaged |= scan->searching;
	scan->searching = false;
	int error = take_block(scan, &header, block + sizeof(header), offset);
	return error < 0 ? error : (int64_t)(offset + disk_bytes);
}

static int scan_file(struct verify *verify, struct verify_log *log, uint32_t index)
{
	struct verify_file *file = &log->files[index];
	struct scan scan = {.verify = verify, .log = log, .file = file, .index = index};
	int64_t offset = 0;

	scan.fd = openat(log->fd, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (scan.fd < 0) {
		snprintf(verify->why, verify->why_bytes, "%s/%s: %s", log->directory, file->name,
			 strerror(errno));
		return -errno;
	}
	file->headless = true;
	while (offset >= 0 && (uint64_t)offset + VERIFY_PAGE <= file->bytes && !file->footed)
		offset = scan_at(&scan, (uint64_t)offset);
	close(scan.fd);
	verify->bytes += file->bytes;
	if (verify->options.progress)
		verify->options.progress(verify->options.self, verify->bytes, verify->bytes_all);
	if (offset < 0)
		return (int)offset;
	file->events = scan.events;
	return 0;
}

/* Sixteen hexadecimal digits and ".wseg": the id is the name. */
static uint64_t parse_name(const char *name)
{
	uint64_t id = 0;

	if (strlen(name) != 21 || strcmp(name + 16, ".wseg") != 0)
		return 0;
	for (int i = 0; i < 16; i++) {
		const char *digits = "0123456789abcdef", *digit = strchr(digits, name[i]);
		if (!digit)
			return 0;
		id = id << 4 | (uint64_t)(digit - digits);
	}
	return id;
}

static int add_file(struct verify *verify, struct verify_log *log, const char *name)
{
	struct stat status;
	uint64_t id = parse_name(name);

	/* Spares, temporary files and what others have put there are not ours to judge. */
	if (!id || fstatat(log->fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(status.st_mode))
		return 0;
	if (!verify_grow(&log->files, log->files_count, sizeof(*log->files)))
		return -ENOMEM;
	struct verify_file *file = &log->files[log->files_count++];
	*file = (struct verify_file){.id = id, .bytes = (uint64_t)status.st_size};
	memcpy(file->name, name, strlen(name) + 1); /* 21 bytes and a NUL, as parse_name() says */
	verify->bytes_all += file->bytes;
	return 0;
}

int verify_log_list(struct verify *verify, struct verify_log *log)
{
	int copy = dup(log->fd), error = 0;
	DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;

	if (!listing) {
		snprintf(verify->why, verify->why_bytes, "%s: %s", log->directory, strerror(errno));
		return -errno;
	}
	while (!error && (entry = readdir(listing)))
		error = add_file(verify, log, entry->d_name);
	closedir(listing);
	return error;
}

int verify_log_scan(struct verify *verify, struct verify_log *log)
{
	int error = 0;

	for (uint32_t i = 0; i < log->files_count && !error; i++)
		error = scan_file(verify, log, i);
	return error;
}

static int by_epoch(const void *a, const void *b)
{
	const struct verify_file *x = *(struct verify_file *const *)a;
	const struct verify_file *y = *(struct verify_file *const *)b;

	return x->epoch < y->epoch ? -1 : x->epoch > y->epoch;
}

/* What newer epochs void; and whether it had been called durable. */
static void find_void(struct verify *verify, struct verify_log *log, struct verify_file **order)
{
	uint64_t newer_base = UINT64_MAX, base = UINT64_MAX, durable_lsn = 0;
	uint32_t count = log->files_count;

	for (uint32_t i = count; i-- > 0;) {
		if (i + 1 < count && order[i]->epoch != order[i + 1]->epoch)
			newer_base = base;
		order[i]->void_lsn = newer_base;
		/* A file without any good block says nothing. */
		if (order[i]->epoch && order[i]->base_lsn < base)
			base = order[i]->base_lsn;
	}
	for (uint32_t i = 0, begin = 0; i < count; i++) {
		if (order[i]->epoch != order[begin]->epoch) {
			for (; begin < i; begin++)
				if (order[begin]->durable_lsn > durable_lsn)
					durable_lsn = order[begin]->durable_lsn;
		}
		if (order[i]->epoch && order[i]->base_lsn <= durable_lsn)
			verify_say(
				verify, VERIFY_FINDING,
				"%s/%s: begins at block %llu and voids what was called durable: an "
				"older epoch had synced up to block %llu",
				log->directory, order[i]->name,
				(unsigned long long)order[i]->base_lsn,
				(unsigned long long)durable_lsn);
	}
}

static int by_lsn(const void *a, const void *b, void *self)
{
	const struct verify_place *x = a, *y = b;
	const struct verify_file *files = self;

	if (x->lsn != y->lsn)
		return x->lsn < y->lsn ? -1 : 1;
	if (x->epoch != y->epoch)
		return x->epoch < y->epoch ? -1 : 1;
	/* Written again within an epoch: the later copy last. */
	if (files[x->file].created_ms != files[y->file].created_ms)
		return files[x->file].created_ms < files[y->file].created_ms ? -1 : 1;
	if (files[x->file].base_lsn != files[y->file].base_lsn)
		return files[x->file].base_lsn < files[y->file].base_lsn ? -1 : 1;
	return x->file < y->file ? -1 : x->file > y->file;
}

/* In order, without what is void, one copy of each. */
static void sort_places(struct verify *verify, struct verify_log *log)
{
	uint64_t kept = 0;

	if (log->places_count == 0)
		return;
	qsort_r(log->places, log->places_count, sizeof(*log->places), by_lsn, log->files);
	for (uint64_t i = 0; i < log->places_count; i++) {
		const struct verify_place *place = &log->places[i];
		struct verify_place *last = kept ? &log->places[kept - 1] : NULL;
		if (place->lsn >= log->files[place->file].void_lsn)
			continue;
		if (!last || last->lsn != place->lsn) {
			log->places[kept++] = *place;
			continue;
		}
		if (last->payload_crc != place->payload_crc || last->type != place->type ||
		    last->payload_bytes != place->payload_bytes || last->epoch != place->epoch)
			verify_say(
				verify, VERIFY_FINDING,
				"%s: block %llu is there twice with different content, in %s and "
				"%s",
				log->directory, (unsigned long long)place->lsn,
				log->files[last->file].name, log->files[place->file].name);
		*last = *place;
	}
	log->places_count = kept;
}

static void say_gap(struct verify *verify, struct verify_log *log, uint64_t from, uint64_t end,
		    uint64_t until, const char *was)
{
	verify->report->gaps++;
	verify->report->gap_blocks += end - from;
	verify->report->blocks_bad += end - from;
	verify_say(verify, VERIFY_FINDING,
		   "%s: blocks %llu to %llu are missing, though everything up to %llu was %s",
		   log->directory, (unsigned long long)from, (unsigned long long)(end - 1),
		   (unsigned long long)until, was);
	for (uint64_t i = 0; i < log->claims_count; i++) {
		const struct verify_claim *claim = &log->claims[i];
		if (claim->lsn >= from && claim->lsn < end)
			verify_say(verify, VERIFY_FINDING,
				   "%s/%s: the block at byte %llu is damaged", log->directory,
				   log->files[claim->file].name,
				   (unsigned long long)claim->page * VERIFY_PAGE);
	}
}

/* The order of files, as FORMAT.md has it. One that has lost its first block has no ordinal. */
static int by_begin(const struct verify_file *x, const struct verify_file *y)
{
	if (x->epoch != y->epoch)
		return x->epoch < y->epoch ? -1 : 1;
	if (x->base_lsn != y->base_lsn)
		return x->base_lsn < y->base_lsn ? -1 : 1;
	return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

/* Does another of its epoch have everything again that this one has? */
static bool replaced(const struct verify_log *log, const struct verify_file *file)
{
	bool is = false;

	for (uint32_t i = 0; i < log->files_count; i++) {
		const struct verify_file *other = &log->files[i];
		is |= file->ordinal && other->epoch == file->epoch &&
		      other->ordinal > file->ordinal && other->base_lsn <= file->base_lsn;
	}
	return is;
}

/* The next file behind `from` that can be read alone; NULL: none. */
static const struct verify_file *next_alone(const struct verify_log *log,
					    const struct verify_file *from)
{
	const struct verify_file *next = NULL;

	for (uint32_t i = 0; i < log->files_count; i++) {
		const struct verify_file *file = &log->files[i];
		if (!file->epoch || file->continues || file->base_lsn <= from->base_lsn ||
		    file->base_lsn >= file->void_lsn || replaced(log, file))
			continue;
		if (!next || by_begin(file, next) < 0)
			next = file;
	}
	return next;
}

/* Retention removes a file and those that continue it one by one; a power cut in between may leave
 * one whose snapshot is gone. What it names was durable once and is forgotten: begin with the next
 * file that can be read alone. */
static void pass_over_rest(struct verify *verify, struct verify_log *log)
{
	uint64_t at = 0;

	if (log->places_count == 0)
		return;
	const struct verify_file *first = &log->files[log->places[0].file];
	if (!first->continues || first->base_lsn <= 1 || first->durable_lsn + 1 < first->base_lsn)
		return;
	for (uint32_t i = 0; i < log->files_count; i++)
		if (log->files[i].epoch && !log->files[i].continues &&
		    log->files[i].base_lsn <= first->base_lsn)
			return; /* it is there, whatever it holds */
	const struct verify_file *alone = next_alone(log, first);
	if (!alone)
		return;
	while (at < log->places_count && log->places[at].lsn < alone->base_lsn)
		at++;
	verify_say(verify, VERIFY_NOTE,
		   "%s/%s: continues a file that retention has removed: %llu blocks are passed "
		   "over",
		   log->directory, first->name, (unsigned long long)at);
	log->places_count -= at;
	memmove(log->places, log->places + at, log->places_count * sizeof(*log->places));
	log->first_lsn = alone->base_lsn;
}

/* The oldest file of which something is in force; NULL: none. */
static const struct verify_file *front_file(const struct verify_log *log)
{
	const struct verify_file *front = NULL;

	for (uint32_t i = 0; i < log->files_count; i++) {
		const struct verify_file *file = &log->files[i];
		if (!file->epoch || file->base_lsn >= file->void_lsn)
			continue;
		if (!front || by_begin(file, front) < 0)
			front = file;
	}
	return front;
}

/* Follow the LSNs from the first on, to the end of what counts. */
static void follow(struct verify *verify, struct verify_log *log, uint64_t durable_lsn)
{
	const uint64_t kept_lsn = verify_kept(verify, log);
	uint64_t next = UINT64_MAX, at = 0, kept = 0;

	for (uint32_t i = 0; i < log->files_count; i++)
		if (log->files[i].epoch && log->files[i].base_lsn < next)
			next = log->files[i].base_lsn;
	log->first_lsn = next == UINT64_MAX ? 1 : next;
	/* Where the very first block of all is lost, so may be some behind it, if not all: what was
	 * durable before the first good one is the best that is known. */
	const struct verify_file *front = front_file(log);
	if (front && front->headless && front->began_durable_lsn + 1 < log->first_lsn)
		log->first_lsn = front->began_durable_lsn + 1;
	pass_over_rest(verify, log);
	next = log->first_lsn;
	for (; at < log->places_count; at++) {
		struct verify_place *place = &log->places[at];
		if (place->lsn < next)
			continue; /* before the base of its own file: said when it was found */
		if (place->lsn > next && next > durable_lsn && next > kept_lsn)
			break; /* the torn end */
		if (place->lsn > next) {
			const bool durable = next <= durable_lsn;
			say_gap(verify, log, next, place->lsn, durable ? durable_lsn : kept_lsn,
				durable ? "durable" : "kept");
			place->gap_before = true;
		}
		next = place->lsn + 1;
		log->places[kept++] = *place;
	}
	if (at < log->places_count)
		verify_say(verify, VERIFY_NOTE,
			   "%s: ends at block %llu; %llu blocks behind the torn end do not count",
			   log->directory, (unsigned long long)(next - 1),
			   (unsigned long long)(log->places_count - at));
	log->places_count = kept;
	if (next <= durable_lsn) {
		say_gap(verify, log, next, durable_lsn + 1, durable_lsn, "durable");
		next = durable_lsn + 1;
	}
	log->end_lsn = next;
}

/* A footer is written when everything before it is: what it names and the chain has not is damaged,
 * unless a power cut took both, and a newer epoch has written those numbers again. */
static void judge_footers(struct verify *verify, struct verify_log *log)
{
	uint64_t footer_lsn = 0;

	for (uint32_t i = 0; i < log->files_count; i++) {
		const struct verify_file *file = &log->files[i];
		if (file->footer_lsn < file->void_lsn && file->footer_lsn > footer_lsn)
			footer_lsn = file->footer_lsn;
	}
	if (footer_lsn < log->end_lsn)
		return;
	verify->report->blocks_bad++;
	verify_say(verify, VERIFY_FINDING,
		   "%s: ends before block %llu, though the file with block %llu was finished",
		   log->directory, (unsigned long long)log->end_lsn,
		   (unsigned long long)footer_lsn);
}

/* A first block that is lost: torn with the file's beginning, or damaged since? */
static void judge_heads(struct verify *verify, struct verify_log *log)
{
	for (uint32_t i = 0; i < log->files_count; i++) {
		const struct verify_file *file = &log->files[i];
		bool durable = file->footed;
		if (!file->headless || !file->blocks)
			continue;
		/* Blocks that its own engine called durable stood behind a whole first block. */
		for (uint32_t j = 0; j < log->files_count; j++)
			durable |= log->files[j].epoch == file->epoch &&
				   log->files[j].durable_lsn >= file->first_lsn;
		verify->report->blocks_bad += durable;
		verify_say(verify, durable ? VERIFY_FINDING : VERIFY_NOTE,
			   "%s/%s: its first block is %s", log->directory, file->name,
			   durable ? "damaged" : "unfinished, as a crash leaves it");
	}
}

int verify_log_chain(struct verify *verify, struct verify_log *log)
{
	uint64_t durable_lsn = 0;
	struct verify_file **order = calloc(log->files_count + 1, sizeof(struct verify_file *));

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < log->files_count; i++) {
		order[i] = &log->files[i];
		verify->report->segments += log->files[i].epoch != 0;
	}
	qsort(order, log->files_count, sizeof(struct verify_file *), by_epoch);
	find_void(verify, log, order);
	free(order);
	sort_places(verify, log);
	for (uint32_t i = 0; i < log->files_count; i++)
		if (log->files[i].durable_lsn > durable_lsn)
			durable_lsn = log->files[i].durable_lsn;
	follow(verify, log, durable_lsn);
	judge_footers(verify, log);
	judge_heads(verify, log);
	for (uint64_t i = 0; i < log->claims_count; i++)
		verify->report->blocks_torn += log->claims[i].lsn >= log->end_lsn;
	return 0;
}

const uint8_t *verify_log_read(struct verify *verify, struct verify_log *log,
			       const struct verify_place *place)
{
	/* The header lies before the payload; the payload is aligned as the events are. */
	struct weir_block_header header;
	size_t bytes = sizeof(header) + place->payload_bytes;

	if (log->file != place->file + 1) {
		if (log->open_fd >= 0)
			close(log->open_fd);
		log->open_fd = openat(log->fd, log->files[place->file].name,
				      O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		log->file = place->file + 1;
	}
	if (log->open_fd >= 0 && pread(log->open_fd, verify->buffer, bytes,
				       (off_t)place->page * VERIFY_PAGE) == (ssize_t)bytes) {
		memcpy(&header, verify->buffer, sizeof(header));
		if (header.lsn == place->lsn && header.payload_crc == place->payload_crc)
			return verify->buffer + sizeof(header);
	}
	verify_say(verify, VERIFY_FINDING,
		   "%s/%s: block %llu has changed while it was read: is an engine running?",
		   log->directory, log->files[place->file].name, (unsigned long long)place->lsn);
	return NULL;
}
