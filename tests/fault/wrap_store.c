/*
 * wrap_store: see fault.h. SQLite, jansson and hiredis: their calls, memory and files.
 */
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "wrap.h"

static int sql_error(void)
{
	return fault_error(SQLITE_IOERR_WRITE, SQLITE_FULL);
}

int __wrap_sqlite3_step(sqlite3_stmt *statement)
{
	return fault_strikes(FAULT_SQL_STEP) ? sql_error() : __real_sqlite3_step(statement);
}

int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *text, int bytes, sqlite3_stmt **statement,
			      const char **tail)
{
	*statement = NULL;
	if (fault_strikes(FAULT_SQL_STEP))
		return fault_error(SQLITE_NOMEM, SQLITE_IOERR_READ);
	return __real_sqlite3_prepare_v2(db, text, bytes, statement, tail);
}

int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *text, int bytes, unsigned flags,
			      sqlite3_stmt **statement, const char **tail)
{
	*statement = NULL;
	if (fault_strikes(FAULT_SQL_STEP))
		return fault_error(SQLITE_NOMEM, SQLITE_IOERR_READ);
	return __real_sqlite3_prepare_v3(db, text, bytes, flags, statement, tail);
}

int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs)
{
	*db = NULL;
	if (fault_strikes(FAULT_SQL_STEP))
		return fault_error(SQLITE_CANTOPEN, SQLITE_NOMEM);
	return __real_sqlite3_open_v2(path, db, flags, vfs);
}

int __wrap_sqlite3_exec(sqlite3 *db, const char *text, int (*each)(void *, int, char **, char **),
			void *self, char **error)
{
	if (error)
		*error = NULL;
	if (fault_strikes(FAULT_SQL_STEP))
		return sql_error();
	return __real_sqlite3_exec(db, text, each, self, error);
}

/* Its memory. */

static sqlite3_mem_methods real_memory;

static void *sql_malloc(int bytes)
{
	return fault_strikes(FAULT_SQL_MEMORY) ? NULL : real_memory.xMalloc(bytes);
}

static void *sql_realloc(void *at, int bytes)
{
	return fault_strikes(FAULT_SQL_MEMORY) ? NULL : real_memory.xRealloc(at, bytes);
}

/* Its files: what the "unix" file system calls. Names of those that may be replaced. */

static int file_open(const char *path, int flags, int mode)
{
	FAULT(FAULT_SQL_FILE, EMFILE, EIO, -1);
	return fault_open(path, flags, (mode_t)mode);
}

static ssize_t file_write(int fd, const void *data, size_t bytes, off_t offset)
{
	FAULT(FAULT_SQL_FILE, EIO, ENOSPC, -1);
	return fault_pwrite(fd, data, bytes, offset);
}

static ssize_t file_read(int fd, void *data, size_t bytes, off_t offset)
{
	FAULT(FAULT_SQL_FILE, EIO, EIO, -1);
	return __real_pread64(fd, data, bytes, offset);
}

static int file_truncate(int fd, off_t bytes)
{
	FAULT(FAULT_SQL_FILE, EIO, ENOSPC, -1);
	return fault_truncate(fd, bytes);
}

static int file_unlink(const char *path)
{
	return fault_unlink(AT_FDCWD, path, 0);
}

static void sql_files(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	static const struct {
		const char *name;
		sqlite3_syscall_ptr call;
	} calls[] = {
		{"open", (sqlite3_syscall_ptr)file_open},
		{"pwrite", (sqlite3_syscall_ptr)file_write},
		{"pwrite64", (sqlite3_syscall_ptr)file_write},
		{"pread", (sqlite3_syscall_ptr)file_read},
		{"pread64", (sqlite3_syscall_ptr)file_read},
		{"ftruncate", (sqlite3_syscall_ptr)file_truncate},
		{"unlink", (sqlite3_syscall_ptr)file_unlink},
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		vfs->xSetSystemCall(vfs, calls[i].name, calls[i].call);
}

/* jansson's memory is freed by free() in places: it must be libc's. */

static void *json_alloc(size_t bytes)
{
	return fault_strikes(FAULT_JSON_MEMORY) ? NULL : __real_malloc(bytes);
}

void fault_begin(void)
{
	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory);
	sqlite3_mem_methods memory = real_memory;
	memory.xMalloc = sql_malloc;
	memory.xRealloc = sql_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
	sqlite3_initialize();
	sql_files();
	json_set_alloc_funcs(json_alloc, __real_free);
}

/* Redis. */

redisContext *__wrap_redisConnectUnixWithTimeout(const char *path, struct timeval patience)
{
	if (fault_strikes(FAULT_REDIS))
		return fault_error(0, 1) ? __real_redisConnectUnixWithTimeout("/none", patience)
					 : NULL;
	return __real_redisConnectUnixWithTimeout(path, patience);
}

static int broken(redisContext *redis)
{
	redis->err = REDIS_ERR_IO;
	errno = ECONNRESET;
	strcpy(redis->errstr, "Connection reset by peer");
	return REDIS_ERR;
}

int __wrap_redisBufferRead(redisContext *redis)
{
	return fault_strikes(FAULT_REDIS) ? broken(redis) : __real_redisBufferRead(redis);
}

int __wrap_redisBufferWrite(redisContext *redis, int *done)
{
	return fault_strikes(FAULT_REDIS) ? broken(redis) : __real_redisBufferWrite(redis, done);
}

int __wrap_redisGetReplyFromReader(redisContext *redis, void **reply)
{
	int result = __real_redisGetReplyFromReader(redis, reply);

	if (result != REDIS_OK || !*reply || !fault_strikes(FAULT_REDIS))
		return result;
	freeReplyObject(*reply);
	*reply = NULL;
	return broken(redis);
}

int __wrap_redisAppendCommand(redisContext *redis, const char *format, ...)
{
	va_list arguments;

	if (fault_strikes(FAULT_REDIS))
		return REDIS_ERR;
	va_start(arguments, format);
	int result = redisvAppendCommand(redis, format, arguments);
	va_end(arguments);
	return result;
}
