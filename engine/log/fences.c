/*
 * fences: how far a file that was written ahead has been filled, for who finds it without a footer.
 *
 * Idea:  a spare is full of zeros, or of another segment's blocks, so that a reader behind the end
 *        of a dead engine's log would have to look at every page up to the end of the file. Before
 *        a file gets its first block, every so many bytes of it a page is written that says: up to
 *        here, nothing. Blocks cover them as they come. As a block counts only when all before it
 *        are written, no block that counts lies behind a fence that still stands.
 *
 *          | F |   | F |   | F |   | F |         next: all of them stand
 *          | SEGMENT | blocks  | F |   | F |     current: looked at up to the first one
 *
 *        Nothing waits for their sync: where one is missing, a reader looks further.
 *        A file that was allocated and not written needs none, the file system knows its holes;
 *        while it is written with zeros, they go along.
 * Runs on: the agent that owns the writer.
 * Never:   writes to a file that has begun. The file's own beginning goes first: with it, a file
 *          that an engine left before it was used is known for one. Then from the last one on: who
 *          finds one, mostly finds those behind it. Nobody relies on either.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "log/writer_private.h"

_Static_assert(FENCES_MAX <= 32, "a slot has a bit for each");

static uint64_t stride_bytes(const struct writer *writer)
{
	uint64_t even = (writer->options.segment_bytes / FENCES_MAX + WEIR_BLOCK_ALIGN - 1) &
			~(uint64_t)(WEIR_BLOCK_ALIGN - 1);

	return even > WEIR_FENCE_STRIDE_MIN ? even : WEIR_FENCE_STRIDE_MIN;
}

static void make(const struct writer *writer, const struct slot *slot, uint64_t offset,
		 uint8_t *page)
{
	struct weir_fence fence = {
		.magic = WEIR_FENCE_MAGIC,
		.offset = offset,
		.segment_id = slot->id,
		.stride = stride_bytes(writer),
	};

	fence_seal(&fence);
	memset(page, 0, HEAD_BYTES);
	memcpy(page, &fence, sizeof(fence));
}

void fences_want(const struct writer *writer, struct slot *slot)
{
	const uint64_t stride = stride_bytes(writer);

	const uint64_t count = (writer->options.segment_bytes + stride - 1) / stride;

	slot->fences = (uint32_t)((UINT64_C(1) << count) - 1);
	slot->fences_retries = 0;
}

void fences_put(const struct writer *writer, const struct slot *slot, uint8_t *data,
		uint64_t offset, uint64_t bytes)
{
	const uint64_t stride = stride_bytes(writer);
	uint64_t at = (offset + stride - 1) / stride * stride;

	for (; at + HEAD_BYTES <= offset + bytes; at += stride)
		make(writer, slot, at, data + (at - offset));
}

int fences_submit(struct writer *writer, struct slot *slot)
{
	struct io *io = writer->options.io;

	if (!slot->fences)
		return 0;
	const bool first = slot->fences & 1;
	const uint32_t index = first ? 0 : 31 - (uint32_t)__builtin_clz(slot->fences);
	const uint64_t offset = index * stride_bytes(writer);
	uint8_t *page = writer->fences + index * HEAD_BYTES;
	make(writer, slot, offset, page);
	if (io->ops->write(io, slot->file, offset, page, HEAD_BYTES,
			   cookie(COOKIE_FENCE, slot_index(writer, slot) + SLOTS_MAX * index)) < 0)
		return 0;
	slot->fences &= ~(UINT32_C(1) << index);
	slot->in_flight++;
	return 1;
}

/* Refused, it is missing, and a reader looks further; put off, it is tried again. */
void fences_written(struct writer *writer, uint32_t index, int64_t result)
{
	check(index < SLOTS_MAX * FENCES_MAX);
	struct slot *slot = &writer->slots[index % SLOTS_MAX];

	slot->in_flight--;
	if ((result == -EAGAIN || result == -EINTR) && ++slot->fences_retries <= RETRIES_MAX)
		slot->fences |= UINT32_C(1) << index / SLOTS_MAX;
}

int fences_step(struct writer *writer)
{
	struct slot *slot = writer->next;
	int work = 0;

	/* No longer when it is about to be let go. */
	if (!slot || slot->state != SLOT_READY || writer->closing)
		return 0;
	while (slot->in_flight < FENCES_AT_ONCE && fences_submit(writer, slot))
		work++;
	return work;
}
