/* SPDX-License-Identifier: BSD-2-Clause */
/* FileSink: a file for each value, of which some are closed meanwhile, and checkpoints of them. */
#include "engine/carry.h"
#include "rig.h"
#include "unit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/filesink-XXXXXX";

static char *path_of(const char *name)
{
	static char path[64];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

/* The writer is a thread. */
static void await_content(struct rig *r, const char *name, const char *wanted)
{
	char bytes[64] = "";
	do {
		sched_yield();
		turn(r);
		FILE *file = fopen(path_of(name), "re");
		size_t n = file ? fread(bytes, 1, sizeof bytes - 1, file) : 0;
		bytes[n] = '\0';
		if (file)
			fclose(file);
	} while (strcmp(bytes, wanted) != 0);
}

static void write_to(struct rig *r, enum pt_canal canal, const char *text, const char *wanted)
{
	push(r, canal, text);
	pass_time(r, 1);
	await_content(r, canal == LOW ? "low" : "high", wanted);
}

/* Files low and high. */
static struct rig *bench(void)
{
	char arguments[64];
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(arguments, sizeof arguments, "'%s/{canal}', open=1", folder);
	return rig("FileSink", arguments);
}

static void bench_end(struct rig *r)
{
	static const char *const names[] = {"old", "low", "high"};
	rig_end(r);
	for (int i = 0; i < 3; i++)
		unlink(path_of(names[i]));
	ck_assert_int_eq(rmdir(folder), 0);
}

START_TEST(one_that_was_moved_away_while_it_was_closed_is_begun_anew)
{
	char old[64];
	struct rig *r = bench();
	write_to(r, LOW, "a", "a");
	write_to(r, HIGH, "b", "b");
	write_to(r, LOW, "c", "ac"); /* closed, and gone on with */
	write_to(r, HIGH, "d", "bd");
	strcpy(old, path_of("old"));
	ck_assert_int_eq(rename(path_of("low"), old), 0);
	write_to(r, LOW, "e", "e");
	await_content(r, "old", "ac");
	ck_assert_ptr_null(rig_block(r, "it")->last_error);
	bench_end(r);
}
END_TEST

/* ---- checkpoints ---- */

static bool settle(struct rig *r, bool begin)
{
	struct pt_block *b = rig_block(r, "it");
	return b->type->settle(b, begin);
}

static void await_settled(struct rig *r)
{
	while (!settle(r, false))
		sched_yield();
}

static struct pt_carry *checkpoint(struct rig *r)
{
	struct cuts *cuts = &rig_engine(r)->cuts;
	settle(r, true);
	await_settled(r);
	cuts->on = true;
	cuts->number = 1;
	struct pt_carry *carry = carry_of(rig_block(r, "it"), PT_FOR_RESTART);
	cuts->on = false;
	return carry;
}

/* As the next daemon does. */
static void go_on_from(struct rig *r, struct pt_carry *carry)
{
	ck_assert(ask(r, "stop", "{}"));
	rig_block(r, "it")->carried = carry;
	ck_assert(ask(r, "start", "{}"));
	turn(r);
}

START_TEST(what_is_behind_a_checkpoint_is_cut_off)
{
	struct rig *r = bench();
	push(r, LOW, "a");
	struct pt_carry *carry = checkpoint(r);
	push(r, LOW, "b");
	go_on_from(r, carry);
	write_to(r, LOW, "c", "ac");
	bench_end(r);
}
END_TEST

START_TEST(what_a_reload_has_closed_is_gone_on_with)
{
	struct rig *r = bench();
	struct pt_block *b = rig_block(r, "it");
	push(r, LOW, "a");
	b->type->reopen(b);
	go_on_from(r, checkpoint(r));
	write_to(r, LOW, "b", "ab");
	bench_end(r);
}
END_TEST

/* Returns its last byte. */
static char drain(int fd, char last)
{
	char bytes[4096];
	for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
		last = bytes[n - 1];
	return last;
}

/* Of a FIFO that is full, whose reader waits. */
START_TEST(a_checkpoint_that_is_given_up_is_followed_by_another)
{
	char bytes[4096] = "";
	struct rig *r = bench();
	ck_assert_int_eq(mkfifo(path_of("low"), 0600), 0);
	int fd = open(path_of("low"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	while (write(fd, bytes, sizeof bytes) > 0)
		;
	push(r, LOW, "a");
	ck_assert(!settle(r, true));
	push(r, LOW, "b");
	ck_assert(!settle(r, true));
	char last = drain(fd, '\0');
	await_settled(r);
	ck_assert_int_eq(drain(fd, last), 'b');
	ck_assert_ptr_null(rig_block(r, "it")->last_error);
	bench_end(r);
	close(fd);
}
END_TEST

UNIT_TESTS("blocks/file_sink", one_that_was_moved_away_while_it_was_closed_is_begun_anew,
           what_is_behind_a_checkpoint_is_cut_off, what_a_reload_has_closed_is_gone_on_with,
           a_checkpoint_that_is_given_up_is_followed_by_another)
