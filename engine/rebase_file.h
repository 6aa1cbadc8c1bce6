/*
 * rebase_file: the state of one source's detectors, rebuilt from the history, as a file beside the
 * checkpoints. A REBASE record of the control log names it; FORMAT.md has the bytes.
 *
 * Idea:  the history is a projection and changes; what was made of it once must be there again,
 *        bit for bit, when the log is replayed. So the state itself is kept, under a name that its
 *        own checksum is part of.
 */
#ifndef ENGINE_REBASE_FILE_H
#define ENGINE_REBASE_FILE_H

#include <stdint.h>

#include "base/bytes.h"
#include "log/io.h"
#include "weir/segment.h"

/* So many are kept in any case, for who replays the log from its first event. */
#define REBASE_FILES_KEPT 8

/* Write it and fill in what its record says. Blocks; the rebase agent's. `buffer` is
 * CHECKPOINT_BUFFER_BYTES of io->ops->buffers(). 0 or negative errno. */
int rebase_file_write(struct io *io, void *buffer, uint64_t sequence, uint32_t source,
		      const struct bytes *sections, struct weir_control_rebase *ret_rebase);
/* 0; -ENOENT: it is gone; -EPROTO: it is not the one. */
int rebase_file_read(struct io *io, const struct weir_control_rebase *rebase, uint32_t source,
		     struct bytes *ret_sections);
/* The oldest checkpoint is of this close: all but the newest files from before it may go. */
void rebase_file_forget(struct io *io, uint64_t oldest_checkpoint);

#endif
