/* SPDX-License-Identifier: BSD-2-Clause */
/* FileSink: a file for each value, of which some are closed meanwhile. */
#include "rig.h"
#include "unit.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

START_TEST(one_that_was_moved_away_while_it_was_closed_is_begun_anew)
{
	char arguments[64], old[64];
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(arguments, sizeof arguments, "'%s/{canal}', open=1", folder);
	struct rig *r = rig("FileSink", arguments);
	write_to(r, LOW, "a", "a");
	write_to(r, HIGH, "b", "b");
	write_to(r, LOW, "c", "ac"); /* closed, and gone on with */
	write_to(r, HIGH, "d", "bd");
	strcpy(old, path_of("old"));
	ck_assert_int_eq(rename(path_of("low"), old), 0);
	write_to(r, LOW, "e", "e");
	await_content(r, "old", "ac");
	ck_assert_ptr_null(rig_block(r, "it")->last_error);
	rig_end(r);
	static const char *const names[] = {"old", "low", "high"};
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(unlink(path_of(names[i])), 0);
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

UNIT_TESTS("blocks/file_sink", one_that_was_moved_away_while_it_was_closed_is_begun_anew)
