/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that writes: order, limits, failures, and changes of the file. */
#include "threads.h"
#include "unit.h"

#include "base/buf.h"
#include "base/crew.h"
#include "base/writer.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int memory_file(void)
{
	int fd = memfd_create("writer", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void write_text(struct writer *w, const char *text)
{
	uint8_t *at = writer_room(w, strlen(text));
	ck_assert_ptr_nonnull(at);
	memcpy(at, text, strlen(text));
	writer_advance(w, strlen(text));
}

static void expect_content(int fd, const char *text)
{
	char bytes[256];
	ssize_t n = pread(fd, bytes, sizeof bytes, 0);
	ck_assert_int_eq(n, (ssize_t)strlen(text));
	ck_assert_mem_eq(bytes, text, strlen(text));
}

START_TEST(bytes_arrive_in_order)
{
	int fd = memory_file();
	struct writer *w = writer_new(&(struct writer_config){.fd = fd, .buffer_size = 8});
	write_text(w, "one ");
	write_text(w, "two ");
	ck_assert_uint_eq(writer_pending(w), 8);
	write_text(w, "three");
	ck_assert_int_eq(writer_flush(w, true), 0);
	ck_assert_uint_eq(writer_pending(w), 0);
	expect_content(fd, "one two three");
	write_text(w, "!");
	ck_assert_int_eq(writer_free(w, true), 0);
	expect_content(fd, "one two three!");
	close(fd);
}
END_TEST

START_TEST(one_that_was_never_used_ends_quietly)
{
	struct writer *w =
		writer_new(&(struct writer_config){.fd = memory_file(), .close_fd = true});
	ck_assert_int_eq(writer_flush(w, true), 0);
	ck_assert_int_eq(writer_free(w, true), 0);
	ck_assert_int_eq(writer_free(NULL, true), 0);
}
END_TEST

static void post(void *arg)
{
	sem_post(arg);
}

START_TEST(buffers_are_bounded_and_progress_tells_of_room)
{
	int ends[2];
	sem_t progress;
	sem_init(&progress, 0, 0);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	size_t size = (size_t)fcntl(ends[1], F_GETPIPE_SZ);
	struct writer *w = writer_new(&(struct writer_config){.fd = ends[1],
	                                                      .close_fd = true,
	                                                      .buffer_size = 2 * size,
	                                                      .buffers = 2,
	                                                      .extra = 1,
	                                                      .progress = post,
	                                                      .arg = &progress});
	unsigned given = 0;
	while (writer_has_room(w)) {
		ck_assert_ptr_nonnull(writer_room(w, 2 * size));
		memset(writer_room(w, 2 * size), 'x', 2 * size);
		writer_advance(w, 2 * size);
		given++;
	}
	ck_assert_uint_eq(given, 2);
	ck_assert_ptr_nonnull(writer_room(w, 1)); /* the extra one */
	writer_advance(w, 1);
	writer_push(w);
	ck_assert_ptr_null(writer_room(w, 1));
	char *bytes = must_calloc(1, 4 * size);
	size_t total = 0;
	while (total < 4 * size + 1) {
		ssize_t n = read(ends[0], bytes, 4 * size);
		ck_assert_int_gt(n, 0);
		total += (size_t)n;
	}
	for (int i = 0; i < 3; i++)
		sem_wait(&progress);
	ck_assert(writer_has_room(w));
	ck_assert_int_eq(writer_free(w, false), 0);
	close(ends[0]);
	free(bytes);
	sem_destroy(&progress);
}
END_TEST

START_TEST(after_a_failed_write_the_rest_is_discarded)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct writer *w = writer_new(&(struct writer_config){.fd = fd, .close_fd = true});
	write_text(w, "lost");
	ck_assert_int_eq(writer_flush(w, false), -ENOSPC);
	ck_assert_int_eq(writer_error(w), -ENOSPC);
	write_text(w, "lost, too");
	ck_assert_int_eq(writer_flush(w, false), -ENOSPC);
	ck_assert_uint_eq(writer_pending(w), 0);
	ck_assert_int_eq(writer_free(w, true), -ENOSPC);
}
END_TEST

START_TEST(a_pipe_without_a_reader_is_an_error_and_no_signal)
{
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	struct writer *w = writer_new(&(struct writer_config){.fd = ends[1], .close_fd = true});
	write_text(w, "x");
	ck_assert_int_eq(writer_free(w, false), -EPIPE);
}
END_TEST

struct next {
	int fd;
};

static int give(void *arg)
{
	return ((struct next *)arg)->fd;
}

static void go_on_in(struct writer *w, int fd)
{
	struct next *next = must_calloc(1, sizeof *next);
	next->fd = fd;
	writer_next(w, give, next, true);
}

START_TEST(what_follows_goes_to_the_next_file)
{
	int first = memory_file(), second = memory_file();
	struct writer *w = writer_new(&(struct writer_config){.fd = -1});
	go_on_in(w, first);
	write_text(w, "first");
	go_on_in(w, second);
	write_text(w, "second");
	ck_assert_int_eq(writer_free(w, true), 0);
	expect_content(first, "first");
	expect_content(second, "second");
	close(first);
	close(second);
}
END_TEST

START_TEST(many_small_files_do_not_wait_for_a_push)
{
	sem_t progress;
	sem_init(&progress, 0, 0);
	struct writer *w = writer_new(&(struct writer_config){
		.fd = -1, .close_fd = true, .extra = 1, .progress = post, .arg = &progress});
	for (int i = 0; i < 100; i++) {
		go_on_in(w, memory_file());
		write_text(w, "little");
		while (!writer_has_room(w))
			sem_wait(&progress);
	}
	ck_assert_int_eq(writer_free(w, false), 0);
	sem_destroy(&progress);
}
END_TEST

START_TEST(a_next_file_that_fails_to_open_is_an_error)
{
	int fd = memory_file();
	struct writer *w = writer_new(&(struct writer_config){.fd = fd});
	write_text(w, "first");
	go_on_in(w, -EMFILE);
	write_text(w, "second");
	go_on_in(w, fd);
	ck_assert_int_eq(writer_free(w, true), -EMFILE);
	expect_content(fd, "first");
	close(fd);
}
END_TEST

/* Puts each input between brackets, a dot for a pause, and a word at the end. */
static int bracket(void *arg, const void *bytes, size_t length, enum writer_end end,
                   int (*put)(void *put_arg, const void *bytes, size_t length), void *put_arg)
{
	if (end != WRITER_MORE)
		return end == WRITER_LAST ? put(put_arg, "end", 3) : put(put_arg, ".", 1);
	put(put_arg, "[", 1);
	put(put_arg, bytes, length);
	return put(put_arg, "]", 1);
}

START_TEST(a_filter_ends_each_file)
{
	int first = memory_file(), second = memory_file();
	struct writer *w = writer_new(&(struct writer_config){.fd = first, .filter = bracket});
	write_text(w, "a");
	ck_assert_int_eq(writer_flush(w, false), 0);
	write_text(w, "b");
	go_on_in(w, second);
	ck_assert_int_eq(writer_free(w, true), 0);
	expect_content(first, "[a].[b]end");
	expect_content(second, "end");
	close(first);
	close(second);
}
END_TEST

/* Also what was handed over long before. */
START_TEST(a_push_has_the_filter_keep_nothing_back)
{
	int fd = memory_file();
	struct writer *w = writer_new(
		&(struct writer_config){.fd = fd, .filter = bracket, .buffer_size = 2, .extra = 9});
	for (const char *text = "abcd"; *text; text++)
		write_text(w, (char[]){*text, *text, 0});
	ck_assert_int_eq(writer_flush(w, false), 0);
	expect_content(fd, "[aa][bb][cc][dd].");
	ck_assert_int_eq(writer_flush(w, false), 0);
	expect_content(fd, "[aa][bb][cc][dd]..");
	ck_assert_int_eq(writer_free(w, false), 0);
	close(fd);
}
END_TEST

/* However late the thread begins. */
START_TEST(what_comes_behind_a_push_is_let_go_of_later)
{
	for (int i = 0; i < 100; i++) {
		int fd = memory_file();
		struct writer *w = writer_new(&(struct writer_config){
			.fd = fd, .filter = bracket, .buffer_size = 2, .extra = 9});
		write_text(w, "aa");
		writer_push(w);
		write_text(w, "bb");
		write_text(w, "cc");
		ck_assert_int_eq(writer_free(w, false), 0);
		expect_content(fd, "[aa].[bb][cc]end");
		close(fd);
	}
}
END_TEST

/* Lets nothing through behind an X, of which half has arrived; a word at the end. */
static int tear(void *arg, const void *bytes, size_t length, enum writer_end end,
                int (*put)(void *put_arg, const void *bytes, size_t length), void *put_arg)
{
	if (end == WRITER_LAST)
		return put(put_arg, "end", 3);
	if (!length || *(const char *)bytes != 'X')
		return put(put_arg, bytes, length);
	put(put_arg, bytes, length / 2);
	return -ENOSPC;
}

/* The thread rests where a write has failed. */
struct stop {
	struct writer *w;
	sem_t failed, go_on;
};

static void rest_at_failure(void *arg)
{
	struct stop *stop = arg;
	if (!writer_error(stop->w))
		return;
	sem_post(&stop->failed);
	sem_wait(&stop->go_on);
}

static int fail_to_open(void *arg)
{
	return -EACCES;
}

START_TEST(a_mark_that_is_not_reached_has_no_length)
{
	int fd = memory_file();
	struct stop stop;
	struct writer_at at;
	sem_init(&stop.failed, 0, 0);
	sem_init(&stop.go_on, 0, 0);
	stop.w = writer_new(
		&(struct writer_config){.fd = fd, .progress = rest_at_failure, .arg = &stop});
	ck_assert(writer_marked(stop.w, &at));
	ck_assert_int_eq(at.length, -1);
	write_text(stop.w, "abc");
	writer_mark(stop.w, false, true);
	while (!writer_marked(stop.w, &at))
		sched_yield();
	ck_assert_int_eq(at.length, 3);
	write_text(stop.w, "d");
	writer_next(stop.w, fail_to_open, NULL, false);
	writer_mark(stop.w, false, true);
	sem_wait(&stop.failed);
	ck_assert(writer_marked(stop.w, &at));
	ck_assert_int_eq(at.length, -1);
	ck_assert_int_eq(at.fd, -1);
	sem_post(&stop.go_on);
	sem_post(&stop.go_on); /* and at the mark */
	ck_assert_int_eq(writer_free(stop.w, false), -EACCES);
	sem_destroy(&stop.failed);
	sem_destroy(&stop.go_on);
	close(fd);
}
END_TEST

static int stay_shut(void *arg)
{
	return -ENOENT;
}

START_TEST(who_is_closed_for_another_ends_nothing_that_is_torn)
{
	int fds[3] = {memory_file(), memory_file(), memory_file()};
	struct writer *w[3];
	struct crew *crew = crew_new(1);
	for (int i = 0; i < 3; i++)
		w[i] = writer_new(&(struct writer_config){.fd = dup(fds[i]),
		                                          .close_fd = true,
		                                          .filter = tear,
		                                          .crew = crew,
		                                          .reopen = stay_shut});
	write_text(w[0], "good");
	ck_assert_int_eq(writer_flush(w[0], false), 0);
	write_text(w[1], "XXXX");
	ck_assert_int_eq(writer_flush(w[1], false), -ENOSPC);
	write_text(w[2], "last");
	ck_assert_int_eq(writer_flush(w[2], false), 0);
	expect_content(fds[0], "goodend");
	expect_content(fds[1], "XX");
	for (int i = 0; i < 3; i++) {
		writer_free(w[i], false);
		close(fds[i]);
	}
	crew_free(crew);
}
END_TEST

/* The last one: from then on it is not root. */
START_TEST(where_there_is_no_thread_for_it_nothing_waits_for_one)
{
	struct crew *crew = crew_new(1);
	struct writer *w = writer_new(
		&(struct writer_config){.fd = memory_file(), .close_fd = true, .crew = crew});
	set_threads(false);
	write_text(w, "lost");
	writer_push(w);
	set_threads(true);
	ck_assert_int_ne(writer_error(w), 0);
	ck_assert_uint_gt(atomic_load(crew_waiting(crew)), 0);
	ck_assert_int_ne(writer_free(w, false), 0);
	ck_assert_uint_eq(atomic_load(crew_waiting(crew)), 0);
	crew_free(crew);
}
END_TEST

UNIT_TESTS("base/writer", who_is_closed_for_another_ends_nothing_that_is_torn,
           bytes_arrive_in_order, one_that_was_never_used_ends_quietly,
           buffers_are_bounded_and_progress_tells_of_room,
           after_a_failed_write_the_rest_is_discarded,
           a_pipe_without_a_reader_is_an_error_and_no_signal, what_follows_goes_to_the_next_file,
           many_small_files_do_not_wait_for_a_push, a_next_file_that_fails_to_open_is_an_error,
           a_filter_ends_each_file, a_mark_that_is_not_reached_has_no_length,
           a_push_has_the_filter_keep_nothing_back, what_comes_behind_a_push_is_let_go_of_later,
           where_there_is_no_thread_for_it_nothing_waits_for_one)
