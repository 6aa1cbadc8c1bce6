/*
 * simdisk_ends: how a simulated disk's lives end (simdisk.h): kills, power cuts, and who decides
 * what becomes of each page.
 */
#include <stdlib.h>
#include <string.h>

#include "support/simdisk_inside.h"

void simdisk_kill(struct simdisk *disk)
{
	for (uint32_t i = 0; i < disk->ios_count; i++) {
		struct sim_io *io = disk->ios[i];
		for (uint32_t j = 0; j < io->pending_count; j++) {
			const struct pending *pending = &io->pending[j];
			for (size_t at = 0; !pending->sync && at < pending->bytes; at += PAGE)
				if (simdisk_random(disk) & 1)
					simdisk_land(disk, pending->file, pending->offset + at,
						     pending->data + at, PAGE);
		}
		io->pending_count = 0;
		io->dead = true;
	}
}

static void undo(struct simdisk *disk)
{
	struct name_op *op = &disk->names[--disk->names_count];

	switch (op->kind) {
	case NAME_MADE:
		op->file->there = false;
		break;
	case NAME_GONE:
		op->file->there = true;
		break;
	case NAME_MOVED:
		strcpy(op->file->path, op->before);
		if (op->displaced)
			op->displaced->there = true;
		break;
	}
}

void simdisk_kill_late(struct simdisk *disk)
{
	for (uint32_t i = 0; i < disk->ios_count; i++) {
		const struct sim_io *io = disk->ios[i];
		for (uint32_t j = 0; j < io->pending_count; j++) {
			const struct pending *pending = &io->pending[j];
			if (pending->sync)
				continue;
			if (disk->late_count == LATE_MAX)
				abort();
			struct late *late = &disk->late[disk->late_count++];
			*late = (struct late){
				.file = pending->file,
				.offset = pending->offset,
				.bytes = pending->bytes,
				.data = malloc(pending->bytes),
			};
			memcpy(late->data, pending->data, pending->bytes);
			disk->ios[i]->pending[j].sync = true; /* nothing more of it lands now */
		}
	}
	simdisk_kill(disk);
}

uint32_t simdisk_late(struct simdisk *disk)
{
	const uint32_t count = disk->late_count;

	for (uint32_t i = 0; i < count; i++) {
		const struct late *late = &disk->late[i];
		simdisk_land(disk, late->file, late->offset, late->data, late->bytes);
		free(late->data);
	}
	disk->late_count = 0;
	return count;
}

void simdisk_choose(struct simdisk *disk, simdisk_choice *choice, void *self)
{
	disk->choice = choice;
	disk->chooser = self;
}

/* What a moment's choices are about. All that is in flight has landed, and is not safe; only where
 * a page was written before and is not safe either, there may be that. */
static void land_chosen(struct simdisk *disk, const struct pending *pending)
{
	const struct sim_file *file = pending->file;

	for (size_t at = 0; !pending->sync && at < pending->bytes; at += PAGE) {
		const uint64_t offset = pending->offset + at;
		if (!memcmp(file->now + offset, file->safe + offset, PAGE) ||
		    disk->choice(disk->chooser, 2) == 0)
			simdisk_land(disk, pending->file, offset, pending->data + at, PAGE);
	}
}

static void land_all_chosen(struct simdisk *disk)
{
	for (uint32_t i = 0; i < disk->ios_count; i++) {
		struct sim_io *io = disk->ios[i];
		for (uint32_t j = 0; j < io->pending_count; j++)
			land_chosen(disk, &io->pending[j]);
		io->pending_count = 0;
	}
}

/* What becomes of a page: LOST is as it was safe. */
enum fate { KEPT, LOST, FIRST_HALF, SECOND_HALF, TORN, FATES_CHOSEN = TORN };

static enum fate fate_of(struct simdisk *disk, const struct sim_file *file, uint64_t page)
{
	static const enum fate drawn[] = {KEPT, KEPT, TORN, LOST};
	const uint64_t at = page * PAGE;

	if (!file->dirty[page])
		return LOST;
	if (!disk->choice)
		return drawn[simdisk_below(disk, 4)];
	if (!memcmp(file->safe + at, file->now + at, PAGE))
		return KEPT;
	return (enum fate)disk->choice(disk->chooser, FATES_CHOSEN);
}

/* Some sectors of a page. */
static void tear(struct simdisk *disk, uint8_t *to, const uint8_t *from)
{
	for (uint32_t at = 0; at < PAGE; at += SECTOR)
		if (simdisk_random(disk) & 1)
			memcpy(to + at, from + at, SECTOR);
}

static void cut_page(struct simdisk *disk, struct sim_file *file, uint64_t page)
{
	uint8_t *safe = file->safe + page * PAGE, *now = file->now + page * PAGE;
	const bool hole = !(file->written[page] & WRITTEN_NOW);
	bool data = file->written[page] & WRITTEN_SAFE;

	if (hole && !data && !file->dirty[page])
		return; /* never written: zeros, twice */
	const enum fate fate = fate_of(disk, file, page);
	if (fate == KEPT)
		memcpy(safe, now, PAGE);
	else if (fate == FIRST_HALF)
		memcpy(safe, now, PAGE / 2);
	else if (fate == SECOND_HALF)
		memcpy(safe + PAGE / 2, now + PAGE / 2, PAGE / 2);
	else if (fate == TORN)
		tear(disk, safe, now);
	/* What was allocated and has lost its write reads as zeros, a hole again; what was trimmed
	 * may be back. */
	if (fate != LOST)
		data = fate != KEPT || !hole;
	file->written[page] = data ? WRITTEN_NOW | WRITTEN_SAFE : 0;
	if (data && file->room < (page + 1) * PAGE)
		file->room = (page + 1) * PAGE;
	file->dirty[page] = 0;
	memcpy(now, safe, PAGE);
}

void simdisk_power_cut(struct simdisk *disk)
{
	if (disk->choice)
		land_all_chosen(disk);
	simdisk_kill(disk);
	for (uint32_t i = 0; i < disk->files_count; i++) {
		struct sim_file *file = disk->files[i];
		for (uint64_t page = 0; page < file->bytes / PAGE; page++)
			cut_page(disk, file, page);
	}
	const uint32_t names = disk->names_count;
	uint64_t keep = disk->choice ? names - disk->choice(disk->chooser, names + 1)
				     : simdisk_below(disk, names + 1);
	while (disk->names_count > keep)
		undo(disk);
	simdisk_names_safe(disk, disk->names_count);
}
