/* SPDX-License-Identifier: BSD-2-Clause */
/* ProgramPipe: between two starts, and without memory for what is printed. */
#include "rig.h"
#include "unit.h"

#include "engine/flow.h"
#include "msg/pool.h"
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- starts ---- */

static char folder[] = "/tmp/program-XXXXXX";

/* Ends with 1 the first time, and then stays. */
static struct rig *twice(void)
{
	char arguments[300];
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(arguments, sizeof arguments,
	         "['sh', '-c', 'test -d %s/x && exec cat; mkdir %s/x; exit 1'], restart_s=1000",
	         folder, folder);
	struct rig *r = rig("ProgramPipe", arguments);
	while (!rig_block(r, "it")->last_error) {
		sched_yield();
		turn(r);
	}
	return r;
}

static void twice_end(struct rig *r)
{
	char inner[40];
	rig_end(r);
	snprintf(inner, sizeof inner, "%s/x", folder);
	rmdir(inner);
	rmdir(folder);
}

static void set_restart(struct rig *r, const char *value)
{
	char ops[200];
	snprintf(
		ops, sizeof ops,
		"{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": {\"restart_s\": %s}}]}",
		value);
	ck_assert_msg(ask(r, "change", ops) != NULL, "%s", rig_words(r));
}

static json_int_t pid_of(struct rig *r)
{
	const json_t *blocks = json_object_get(ask(r, "show", "{}"), "blocks"); /* `it` first */
	const json_t *now = json_object_get(json_array_get(blocks, 0), "now");
	return json_integer_value(json_object_get(now, "pid"));
}

START_TEST(one_that_waits_to_start_goes_by_the_new_time)
{
	struct rig *r = twice();
	pass_time(r, 2);
	ck_assert_int_eq(pid_of(r), 0);
	set_restart(r, "5");
	pass_time(r, 2);
	ck_assert_int_eq(pid_of(r), 0);
	pass_time(r, 1.1);
	ck_assert_int_gt(pid_of(r), 0);
	ck_assert(!rig_block(r, "it")->failed);
	twice_end(r);
}
END_TEST

START_TEST(or_has_ended_where_there_is_none_any_more)
{
	struct rig *r = twice();
	push(r, LOW, "waits");
	set_restart(r, "null");
	ck_assert(rig_block(r, "it")->failed);
	pass_time(r, 2000);
	ck_assert_int_eq(pid_of(r), 0);
	twice_end(r);
}
END_TEST

/* ---- memory ---- */

START_TEST(without_memory_for_a_capture_it_rests)
{
	static const uint32_t capture[] = {0xa1b2c3d4, 0x00040002, 0, 0, 262144, 1, 0, 0, 1, 1};
	char text[100], path[] = "/tmp/program-XXXXXX";
	int fd = mkstemp(path);
	ck_assert(write(fd, capture, sizeof capture) == sizeof capture && write(fd, "X", 1) == 1);
	close(fd);
	snprintf(text, sizeof text, "p = ProgramPipe('cat %s', out='pcap'); s = RigSink(); p > s",
	         path);
	rig_limits.memory = 4096;
	struct rig *r = rig_graph(text);
	rig_limits.memory = 0;
	for (int i = 0; i < 20; i++) {
		turn(r);
		ck_assert(!flow_has_work(rig_engine(r)));
	}
	expect_nothing(r);
	pool_set_limit(rig_engine(r)->pool, 0);
	while (!rig_block(r, "s")->count.out) {
		sched_yield();
		turn(r);
	}
	expect_at(r, "s>", "X");
	rig_end(r);
	unlink(path);
}
END_TEST

UNIT_TESTS("blocks/program_pipe", one_that_waits_to_start_goes_by_the_new_time,
           or_has_ended_where_there_is_none_any_more, without_memory_for_a_capture_it_rests)
