/* SPDX-License-Identifier: BSD-2-Clause */
/* What is opened in folders that are lent, by both sides. */
#include "ctl/lend.h"

#include "base/buf.h"
#include "base/lent.h"
#include "base/path.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static char folder[32];
static struct lend lend;
static struct lent *lent;
static const char *const *in; /* what may be written, or only read */

static void make_file(const char *path)
{
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs("x", f);
	fclose(f);
}

/* in/ is lent; b lies beside it, and is what the links in it lead to. */
static void begin(bool writes)
{
	int theirs;
	strcpy(folder, "/tmp/lendXXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(mkdir("in", 0700), 0);
	make_file("in/a");
	make_file("b");
	ck_assert_int_eq(symlink("../b", "in/link"), 0);
	ck_assert_int_eq(symlink("..", "in/up"), 0);
	char *path = must_printf("%s/in/", folder);
	ck_assert_int_eq(lend_add(&lend, path, writes, &theirs, NULL), 0);
	ck_assert_int_eq(lend_begin(&lend, NULL), 0);
	in = lent_add(&lent, theirs, path);
	free(path);
}

static void end(void)
{
	char *command = must_printf("rm -r %s", folder);
	lent_free(lent);
	lent = NULL;
	lend_end(&lend);
	ck_assert_int_eq(system(command), 0);
	free(command);
}

static int open_at(const char *name, int flags)
{
	char *path = must_printf("%s/%s", folder, name);
	int fd = path_open(in, path, flags, 0600);
	free(path);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static int unlink_at(const char *name)
{
	char *path = must_printf("%s/%s", folder, name);
	int code = path_unlink(in, path);
	free(path);
	return code;
}

START_TEST(what_lies_in_it_is_written)
{
	struct stat st;
	begin(true);
	char *deep = must_printf("%s/in/x/y/z", folder);
	ck_assert_int_eq(path_make_folders(in, deep, 0700), 0);
	ck_assert_int_eq(open_at("in/x/y/z", O_WRONLY | O_CREAT | O_EXCL), 0);
	ck_assert_int_eq(path_stat(in, deep, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	free(deep);
	ck_assert_int_eq(open_at("in/a", O_RDWR), 0);
	ck_assert_int_eq(open_at("in/none", O_RDWR), -ENOENT);
	ck_assert_int_eq(unlink_at("in/a"), 0);
	ck_assert_int_eq(unlink_at("in/a"), -ENOENT);
	end();
}
END_TEST

START_TEST(what_lies_elsewhere_is_not)
{
	static const char *const elsewhere[] = {"b",        "in/../b",  "in/link", "in/up/b",
	                                        "inside/b", "in/up/c",  "in/..",   "in/x/../../b",
	                                        "",         "in/up/in/"};
	begin(true);
	for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
		ck_assert_int_lt(open_at(elsewhere[i], O_WRONLY | O_CREAT), 0);
		ck_assert_int_lt(open_at(elsewhere[i], O_WRONLY | O_TRUNC), 0);
	}
	ck_assert_int_eq(open_at("b", O_RDONLY), -PT_EPERMITTED);
	ck_assert_int_eq(unlink_at("b"), -PT_EPERMITTED);
	ck_assert_int_eq(unlink_at("in/up/b"), -PT_EPERMITTED);
	char *out = must_printf("%s/in/up/new/x", folder);
	ck_assert_int_eq(path_make_folders(in, out, 0700), -PT_EPERMITTED);
	free(out);
	ck_assert_int_eq(access("b", F_OK), 0);
	ck_assert_int_ne(access("c", F_OK), 0);
	ck_assert_int_ne(access("new", F_OK), 0);
	end();
}
END_TEST

START_TEST(what_is_lent_to_be_read_is_not_written)
{
	begin(false);
	ck_assert_int_eq(open_at("in/a", O_RDONLY), 0);
	ck_assert_int_eq(open_at("in/link", O_RDONLY), 0); /* as any program reads it */
	ck_assert_int_eq(open_at("in/../b", O_RDONLY), -PT_EPERMITTED);
	ck_assert_int_eq(open_at("in/a", O_WRONLY), -PT_EPERMITTED);
	ck_assert_int_eq(open_at("in/a", O_RDONLY | O_TRUNC), -PT_EPERMITTED);
	ck_assert_int_eq(open_at("in/new", O_RDONLY | O_CREAT), -PT_EPERMITTED);
	ck_assert_int_eq(unlink_at("in/a"), -PT_EPERMITTED);
	end();
}
END_TEST

START_TEST(its_names_are_found_and_heard_of)
{
	begin(false);
	int inotify = inotify_init1(IN_CLOEXEC);
	char *pattern = must_printf("%s/in/[a-c]*", folder);
	ck_assert_int_eq(path_watch(in, inotify, pattern), 0);
	make_file("in/c");
	make_file("in/d");
	struct pollfd polled = {inotify, POLLIN, 0};
	ck_assert_int_eq(poll(&polled, 1, 60000), 1);
	char **names = path_expand(in, pattern);
	ck_assert_str_eq(names[0] + strlen(folder), "/in/a");
	ck_assert_str_eq(names[1] + strlen(folder), "/in/c");
	ck_assert_ptr_null(names[2]);
	path_list_free(names);
	int fd = open("in/a", O_RDWR | O_CLOEXEC);
	ck_assert_int_gt(path_watch_file(in, inotify, fd), 0);
	close(fd);
	close(inotify);
	free(pattern);
	end();
}
END_TEST

START_TEST(a_folder_that_has_gone_is_made_anew)
{
	begin(true);
	ck_assert_int_eq(system("rm -r in"), 0);
	ck_assert_int_eq(open_at("in/x", O_WRONLY | O_CREAT), -ENOENT);
	char *path = must_printf("%s/in/sub/x", folder);
	ck_assert_int_eq(path_make_folders(in, path, 0700), 0);
	free(path);
	ck_assert_int_eq(open_at("in/sub/x", O_WRONLY | O_CREAT), 0);
	end();
}
END_TEST

START_TEST(who_has_gone_is_told)
{
	begin(true);
	kill(lend.pid, SIGKILL);
	lend_end(&lend);
	ck_assert_int_eq(open_at("in/a", O_RDONLY), -EOWNERDEAD);
	end();
}
END_TEST

UNIT_TESTS("ctl/lend", what_lies_in_it_is_written, what_lies_elsewhere_is_not,
           what_is_lent_to_be_read_is_not_written, its_names_are_found_and_heard_of,
           a_folder_that_has_gone_is_made_anew, who_has_gone_is_told)
