/*
 * control_records: the records of a block of the control log, one after the other.
 *
 * Runs on: any thread; reads memory.
 */
#ifndef ENGINE_CONTROL_RECORDS_H
#define ENGINE_CONTROL_RECORDS_H

#include <errno.h>
#include <stdint.h>

#include "log/reader.h"
#include "weir/segment.h"

/* The record at *offset of a block's payload: 1, and *offset behind it; 0: no more; -EPROTO. */
static inline int control_record_next(const struct reader_block *block, uint32_t *offset,
				      const struct weir_control_record **ret_record,
				      const void **ret_data)
{
	const struct weir_control_record *record;
	uint32_t left = block->header.payload_bytes - *offset;

	if (left == 0)
		return 0;
	if (left < sizeof(*record))
		return -EPROTO;
	record = (const void *)((const char *)block->payload + *offset);
	left -= (uint32_t)sizeof(*record);
	if (record->bytes > left)
		return -EPROTO;
	uint32_t padded = (record->bytes + 7) & ~7u;
	*offset += (uint32_t)sizeof(*record) + (padded < left ? padded : left);
	*ret_record = record;
	*ret_data = record + 1;
	return 1;
}

#endif
