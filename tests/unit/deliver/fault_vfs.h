/*
 * fault_vfs: SQLite's file system with a fault in it: the n-th write, sync or truncation from now
 * on fails, once or for as long as the disk stays broken.
 */
#ifndef TEST_FAULT_VFS_H
#define TEST_FAULT_VFS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

static struct fault {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	sqlite3_io_methods methods;
	int countdown; /* operations until the fault; 0: no fault */
	bool stays;    /* broken from then on */
	int result;
	long operations, faults;
} fault;

/* The real file lies behind this head. */
struct fault_file {
	sqlite3_file base;
	sqlite3_file *real;
};

static inline int fault_now(void)
{
	fault.operations++;
	if (fault.countdown == 0 || --fault.countdown > 0)
		return SQLITE_OK;
	if (fault.stays)
		fault.countdown = 1;
	fault.faults++;
	return fault.result;
}

#define FAULT_REAL(file) (((struct fault_file *)(file))->real)
#define FAULT_PASS(name, parameters, ...)                                                          \
	static inline int fault_##name parameters                                                  \
	{                                                                                          \
		return FAULT_REAL(file)->pMethods->name(FAULT_REAL(file), ##__VA_ARGS__);          \
	}
#define FAULT_BREAK(name, parameters, ...)                                                         \
	static inline int fault_##name parameters                                                  \
	{                                                                                          \
		int result = fault_now();                                                          \
		return result ? result                                                             \
			      : FAULT_REAL(file)->pMethods->name(FAULT_REAL(file), ##__VA_ARGS__); \
	}

FAULT_PASS(xClose, (sqlite3_file * file))
FAULT_PASS(xRead, (sqlite3_file * file, void *data, int bytes, sqlite3_int64 at), data, bytes, at)
FAULT_BREAK(xWrite, (sqlite3_file * file, const void *data, int bytes, sqlite3_int64 at), data,
	    bytes, at)
FAULT_BREAK(xTruncate, (sqlite3_file * file, sqlite3_int64 bytes), bytes)
FAULT_BREAK(xSync, (sqlite3_file * file, int flags), flags)
FAULT_PASS(xFileSize, (sqlite3_file * file, sqlite3_int64 *bytes), bytes)
FAULT_PASS(xLock, (sqlite3_file * file, int level), level)
FAULT_PASS(xUnlock, (sqlite3_file * file, int level), level)
FAULT_PASS(xCheckReservedLock, (sqlite3_file * file, int *answer), answer)
FAULT_PASS(xFileControl, (sqlite3_file * file, int operation, void *argument), operation, argument)
FAULT_PASS(xSectorSize, (sqlite3_file * file))
FAULT_PASS(xDeviceCharacteristics, (sqlite3_file * file))
FAULT_PASS(xShmMap, (sqlite3_file * file, int page, int size, int extend, void volatile **at), page,
	   size, extend, at)
FAULT_PASS(xShmLock, (sqlite3_file * file, int offset, int count, int flags), offset, count, flags)
FAULT_PASS(xShmUnmap, (sqlite3_file * file, int remove), remove)

static inline void fault_xShmBarrier(sqlite3_file *file)
{
	FAULT_REAL(file)->pMethods->xShmBarrier(FAULT_REAL(file));
}

static inline int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
			     int *ret_flags)
{
	(void)vfs;
	struct fault_file *head = (struct fault_file *)file;
	head->real = (sqlite3_file *)(head + 1);
	int result = fault.real->xOpen(fault.real, name, head->real, flags, ret_flags);
	/* Files of SQLite's own (temporary ones) need no shared memory. */
	fault.methods.iVersion = 2;
	file->pMethods = head->real->pMethods ? &fault.methods : NULL;
	return result;
}

/* Every connection opened from here on goes through it. */
static inline void fault_install(void)
{
	fault.real = sqlite3_vfs_find(NULL);
	fault.methods = (sqlite3_io_methods){
		.iVersion = 2,
		.xClose = fault_xClose,
		.xRead = fault_xRead,
		.xWrite = fault_xWrite,
		.xTruncate = fault_xTruncate,
		.xSync = fault_xSync,
		.xFileSize = fault_xFileSize,
		.xLock = fault_xLock,
		.xUnlock = fault_xUnlock,
		.xCheckReservedLock = fault_xCheckReservedLock,
		.xFileControl = fault_xFileControl,
		.xSectorSize = fault_xSectorSize,
		.xDeviceCharacteristics = fault_xDeviceCharacteristics,
		.xShmMap = fault_xShmMap,
		.xShmLock = fault_xShmLock,
		.xShmBarrier = fault_xShmBarrier,
		.xShmUnmap = fault_xShmUnmap,
	};
	fault.vfs = *fault.real;
	fault.vfs.zName = "fault";
	fault.vfs.szOsFile = (int)sizeof(struct fault_file) + fault.real->szOsFile;
	fault.vfs.xOpen = fault_open;
	sqlite3_vfs_register(&fault.vfs, 1);
}

#endif
