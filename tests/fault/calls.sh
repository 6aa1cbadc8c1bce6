#!/bin/sh
# calls: nobody calls the machine past the wrappers of this folder, and no wrapper waits in vain.
#
#   calls.sh ENGINE_LIBRARY CLIENT_LIBRARY WRAPPED...
#
# fault_loop counts by kinds: a write by pwritev() would be no write to it, and pwrite()s elsewhere
# would keep their kind alive. So the names that the objects call are held against those wrapped.
set -u
engine=$1 client=$2
shift 2

# What may fail because the machine refuses it, and what else libc has for the same.
memory='v?asprintf|[mc]alloc|realloc(array)?|aligned_alloc|memalign|posix_memalign|strn?dup'
memory="$memory|getline|getdelim|open_memstream|fmemopen|mmap(64)?|mremap"
files='(open|openat|creat|fopen|freopen|tmpfile)(64)?|openat2|fdopen|f?dopendir|memfd_create'
files="$files|eventfd|timerfd_create|signalfd|epoll_create1?|inotify_init1?|dup[23]?|pipe2?"
data='(p?(read|write)v?|preadv2|pwritev2|f?truncate|(posix_)?fallocate|sendfile)(64)?'
data="$data|copy_file_range|splice|f(data)?sync|sync|syncfs|msync|sync_file_range"
names='rename(at2?)?|(un)?link(at)?|symlink(at)?|mkdir(at)?|rmdir|remove|mk(s|os|d)temp(64)?'
others='pthread_create|thrd_create|fork|socket(pair)?|bind|listen|accept4?|connect'
others="$others|p?poll|p?select|epoll_p?wait|(send|recv)(to|from|m?msg)?"
rings='io_uring_(queue_init|register|submit|wait|peek|enter)[a-z_]*'
libraries='sqlite3_(step|prepare|open|exec)[a-z0-9_]*'
libraries="$libraries|redis(Connect|Buffer|GetReply|Append|Command)[A-Za-z]*"
asked="$memory|$files|$data|$names|$others|$rings|$libraries"
# Known to go past them: the intake's wait for its sockets and the client's for its engine; texts,
# whose memory is libc's own; a Redis at an address (one behind a path is wrapped); what the parent
# of --supervise and main() do before there is an engine.
known='epoll_create1|epoll_wait|ppoll|open_memstream|redisConnectWithTimeout|fork|dup2|signalfd'

called=$(nm -u "$engine" "$client" 2>/dev/null | sed -n 's/^ *U \([^@]*\).*/\1/p' | sort -u)
bad=0
for name in $(echo "$called" | grep -Ex "$asked" | grep -Evx "$known"); do
	case " $* " in
	*" $name "*) ;;
	*)
		bad=1
		echo "FAILED: $name is called, and no wrapper refuses it"
		;;
	esac
done
for name in "$@"; do
	echo "$called" | grep -qx "$name" && continue
	bad=1
	echo "FAILED: $name is wrapped, and nobody calls it"
done
exit "$bad"
