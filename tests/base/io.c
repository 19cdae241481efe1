/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests whole buffers over descriptors that take and give little at once. */
#include "base/io.h"

#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <stdlib.h>
#include <unistd.h>

enum { LENGTH = 300000 };

struct writing {
	int fd;
	const char *bytes;
	int code;
};

static void *write_it(void *arg)
{
	struct writing *w = arg;
	w->code = io_write(w->fd, w->bytes, LENGTH);
	close(w->fd);
	return NULL;
}

/* A pipe that does not wait, on both sides: more than it holds goes through all the same. */
static int pass(size_t most, struct buf *got)
{
	static char bytes[LENGTH];
	int ends[2];
	pthread_t thread;
	for (size_t i = 0; i < LENGTH; i++)
		bytes[i] = (char)(i * 7);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	struct writing w = {ends[1], bytes, 1};
	ck_assert_int_eq(pthread_create(&thread, NULL, write_it, &w), 0);
	int code = io_read(ends[0], most, got);
	close(ends[0]);
	pthread_join(thread, NULL);
	if (!code)
		ck_assert(!w.code && got->length == LENGTH && !memcmp(got->data, bytes, LENGTH));
	else
		ck_assert(w.code == -EPIPE || !w.code);
	return code;
}

START_TEST(all_of_it_goes_through)
{
	struct buf got = BUF_INIT;
	ck_assert_int_eq(pass(LENGTH, &got), 0);
	buf_free(&got);
}
END_TEST

START_TEST(what_is_too_much_is_told)
{
	struct buf got = BUF_INIT;
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pass(LENGTH - 1, &got), -EFBIG);
	buf_free(&got);
}
END_TEST

START_TEST(what_is_appended_does_not_count)
{
	struct buf got = BUF_INIT;
	int fd = open("/dev/null", O_RDONLY);
	buf_adds(&got, "before");
	ck_assert_int_eq(io_read(fd, 0, &got), 0);
	ck_assert_str_eq(got.data, "before");
	close(fd);
	ck_assert_int_eq(io_read(fd, 10, &got), -EBADF);
	ck_assert_int_eq(io_write(fd, "x", 1), -EBADF);
	buf_free(&got);
}
END_TEST

START_TEST(files_are_read_and_written_in_places)
{
	struct buf b = BUF_INIT;
	char four[4];
	int fd = memfd_create("io", 0);
	ck_assert_int_eq(pwrite(fd, "bc", 2, 2), 2);
	ck_assert_int_eq(io_read_at(fd, 0, four, 4), 0);
	ck_assert_mem_eq(four, "\0\0bc", 4);
	ck_assert_int_eq(io_read_at(fd, 1, four, 4), -ENODATA);
	ck_assert_int_eq(io_read(fd, 3, &b), -EFBIG);
	ck_assert_uint_eq(b.length, 0);
	ck_assert_int_eq(io_read(fd, 4, &b), 0);
	ck_assert_uint_eq(b.length, 4);
	ck_assert_int_eq(b.data[4], 0);
	close(fd);
	ck_assert_int_eq(io_write(fd, "a", 1), -EBADF);
	ck_assert_int_eq(io_read(fd, 9, &b), -EBADF);
	ck_assert_int_eq(io_read_file("/nonexistent/file", 0, 9, &b), -ENOENT);
	buf_free(&b);
}
END_TEST

START_TEST(a_file_is_replaced_whole_and_found_by_its_end)
{
	char folder[] = "/tmp/pipetool-io-XXXXXX";
	struct buf b = BUF_INIT;
	ck_assert_ptr_nonnull(mkdtemp(folder));
	char *path = must_printf("%s/b.x", folder), *hidden = must_printf("%s/.a.x", folder),
	     *under = must_printf("%s/nothing/b.x", folder);
	ck_assert_int_eq(io_replace(path, 0600, "long", 4), 0);
	ck_assert_int_eq(io_replace(path, 0600, "new", 3), 0);
	ck_assert_int_eq(io_replace(hidden, 0600, NULL, 0), 0);
	ck_assert_int_eq(io_replace(under, 0600, "x", 1), -ENOENT);
	ck_assert_int_eq(io_read_file(path, 0, 9, &b), 0);
	ck_assert_str_eq(b.data, "new");
	char **names = io_list(folder, ".x");
	ck_assert_str_eq(names[0], "b.x");
	ck_assert_ptr_null(names[1]);
	ck_assert_ptr_null(io_list(under, ".x"));
	texts_free(names);
	ck_assert_int_eq(unlink(path) | unlink(hidden) | rmdir(folder), 0);
	free(path);
	free(hidden);
	free(under);
	buf_free(&b);
}
END_TEST

START_TEST(nobody_waits_for_what_a_terminal_says)
{
	struct buf b = BUF_INIT;
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(terminal, 0);
	ck_assert_int_eq(grantpt(terminal) | unlockpt(terminal), 0);
	ck_assert_int_eq(io_read_file(ptsname(terminal), O_NONBLOCK, 9, &b), -EAGAIN);
	close(terminal);
	buf_free(&b);
}
END_TEST

UNIT_TESTS("base/io", all_of_it_goes_through, what_is_too_much_is_told,
           what_is_appended_does_not_count, files_are_read_and_written_in_places,
           a_file_is_replaced_whole_and_found_by_its_end, nobody_waits_for_what_a_terminal_says)
