/* SPDX-License-Identifier: BSD-2-Clause */
/* A descriptor that is read exactly, where no checkpoint is ever whole. */
#include "rig.h"
#include "unit.h"

#include "base/buf.h"
#include "engine/carry.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void hear(void *arg, const char *block, const char *type, struct pt_carry *carry)
{
	carry_free(carry);
}

static bool commit_never(void *arg, uint64_t cut, bool must)
{
	return must;
}

static void done(struct pt_request *r)
{
	*(bool *)r->tap.arg = true;
}

/* Read into the sink, by a block of this name. */
static void read_from(struct rig *r, const char *verb, const char *name, int fd)
{
	bool answered = false;
	struct pt_request request;
	char *link = must_printf(", {\"op\": \"link\", \"from\": \"%s\", \"to\": \"sink\"}", name),
	     *change = must_printf("{\"ops\": [{\"op\": \"%s\", \"name\": \"%s\", "
	                           "\"type\": \"FDSourceSink\", "
	                           "\"params\": {\"fd\": {\"fd\": 0}}}%s]}",
	                           verb, name, strcmp(verb, "add") ? "" : link);
	rig_request(&request, "change", change);
	request.fds = &fd;
	request.fd_count = 1;
	request.done = done;
	request.tap.arg = &answered;
	pt_engine_ask(rig_engine(r), &request);
	while (!answered)
		turn(r);
	ck_assert_int_eq(request.code, 0);
	rig_request_clear(&request);
	free(link);
	free(change);
}

/* By the time that `it` comes no source waits for the engine's first checkpoint any more. */
static struct rig *bench(int near[2], int far[2])
{
	struct rig *r = rig_graph("sink = RigSink()");
	rig_engine(r)->hooks.carry = hear;
	rig_engine(r)->hooks.commit = commit_never;
	for (int i = 0; i < 2; i++) {
		int both[2];
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
		near[i] = both[0];
		far[i] = both[1];
	}
	read_from(r, "add", "first", near[0]);
	pass_time(r, 1.1);
	read_from(r, "add", "it", near[1]);
	ck_assert_int_eq(write(far[1], "one\n", 4), 4);
	pass_time(r, 0.5);
	expect_nothing(r);
	return r;
}

static void end(struct rig *r, const int near[2], const int far[2])
{
	rig_end(r);
	for (int i = 0; i < 2; i++) {
		close(near[i]);
		close(far[i]);
	}
}

START_TEST(what_comes_is_held_for_a_second_and_no_longer)
{
	int near[2], far[2];
	struct rig *r = bench(near, far);
	pass_time(r, 0.6);
	expect_at(r, "sink>", "one\n");
	end(r, near, far);
}
END_TEST

START_TEST(nor_is_it_by_a_successor)
{
	int near[2], far[2];
	struct rig *r = bench(near, far);
	read_from(r, "replace", "it", near[1]);
	pass_time(r, 1.1);
	expect_at(r, "sink>", "one\n");
	end(r, near, far);
}
END_TEST

UNIT_TESTS("blocks/fd_source_sink", what_comes_is_held_for_a_second_and_no_longer,
           nor_is_it_by_a_successor)
