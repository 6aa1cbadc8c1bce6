/*
 * exposed: see exposed.h.
 */
#include "exposed.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The engine's user, or who can do everything anyway. */
static bool trusted(uid_t user)
{
	return user == geteuid() || user == 0;
}

/* Who owns a link can let it point elsewhere at any time. */
static const char *look(int at, const char *path, struct stat *ret_stat)
{
	if (fstatat(at, path, ret_stat, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	if (!S_ISLNK(ret_stat->st_mode))
		return NULL;
	if (!trusted(ret_stat->st_uid))
		return "is another user's symbolic link";
	if (fstatat(at, path, ret_stat, 0) < 0)
		*ret_stat = (struct stat){.st_uid = geteuid()};
	return NULL;
}

const char *exposed_place(int at, const char *path)
{
	struct stat st = {.st_uid = geteuid()};
	const char *wrong = look(at, path, &st);

	if (wrong)
		return wrong;
	if (st.st_uid != geteuid())
		return "belongs to another user";
	if (st.st_mode & S_IWOTH)
		return "is writable by all";
	return st.st_mode & S_IWGRP ? "is writable by its group" : NULL;
}

const char *exposed_socket(const char *path)
{
	char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = ".";
	const char *slash = strrchr(path, '/');
	size_t bytes = slash && slash > path ? (size_t)(slash - path) : 1;
	struct stat st = {.st_uid = geteuid()};

	if (slash && bytes < sizeof(directory)) {
		memcpy(directory, path, bytes);
		directory[bytes] = '\0';
	}
	const char *wrong = look(AT_FDCWD, directory, &st);
	if (wrong)
		return wrong;
	if (!trusted(st.st_uid))
		return "belongs to another user";
	return (st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX) ? "is writable by all" : NULL;
}

const char *exposed_config(const char *path)
{
	struct stat st = {.st_uid = geteuid()};
	const char *wrong = look(AT_FDCWD, path, &st);

	if (wrong)
		return wrong;
	if (!trusted(st.st_uid))
		return "belongs to another user";
	return st.st_mode & S_IWOTH ? "is writable by all" : NULL;
}
