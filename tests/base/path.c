/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths and the folders that they may lie in. */
#include "base/path.h"

#include "base/buf.h"
#include "unit.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/pathXXXXXX";

static bool within(const char *path)
{
	char *whole = must_printf("%s/%s", folder, path), *in = must_printf("%s/in", folder);
	bool result = path_is_within(whole, (const char *const[]){in, NULL});
	free(whole);
	free(in);
	return result;
}

static void make_file(const char *path)
{
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fclose(f);
}

START_TEST(no_way_leads_out)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(mkdir("in", 0700), 0);
	ck_assert_int_eq(mkdir("inside", 0700), 0);
	make_file("in/a");
	make_file("b");
	ck_assert_int_eq(symlink("../b", "in/link"), 0);
	ck_assert_int_eq(symlink("../new", "in/nowhere"), 0);
	ck_assert_int_eq(symlink("a", "in/good"), 0);
	ck_assert_int_eq(symlink("..", "in/up"), 0);

	ck_assert(within("in/a"));
	ck_assert(within("in/good"));
	ck_assert(within("in/../in/a"));
	ck_assert(within("in/not_yet"));
	ck_assert(!within("b"));
	ck_assert(!within("in/../b"));
	ck_assert(!within("in/link"));
	ck_assert(!within("in/nowhere"));
	ck_assert(!within("in/up/b"));
	ck_assert(!within("in/up/new"));
	ck_assert(!within("inside/a"));
	ck_assert(within("missing/a")); /* cannot be made */
	ck_assert(path_is_within("in/a", (const char *const[]){"/", NULL}));
	ck_assert(!path_is_within("in/a", (const char *const[]){NULL}));

	static const char *const made[] = {"in/a",    "in/link", "in/nowhere",
	                                   "in/good", "in/up",   "b"};
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		unlink(made[i]);
	rmdir("in");
	rmdir("inside");
	rmdir(folder);
}
END_TEST

UNIT_TESTS("base/path", no_way_leads_out)
