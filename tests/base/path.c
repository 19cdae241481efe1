/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths and the folders that they may lie in. */
#include "base/path.h"

#include "base/buf.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[32];

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

/* in/ is allowed; b and inside/ are not. */
static void lay_out(void)
{
	strcpy(folder, "/tmp/pathXXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	static const char *const folders[] = {"in", "in/sub", "inside"},
				 *const files[] = {"in/a", "b"},
				 *const links[][2] = {{"../b", "in/link"},
	                                              {"../new", "in/nowhere"},
	                                              {"hung", "in/hanging"},
	                                              {"a", "in/good"},
	                                              {"..", "in/up"},
	                                              {"sub", "in/into"},
	                                              {"round", "in/round"},
	                                              {"/proc/self/root", "in/root"},
	                                              {"/etc/passwd", "in/far"},
	                                              {"/proc/self/cwd/in/sub", "in/self"}};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		ck_assert_int_eq(mkdir(folders[i], 0700), 0);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		make_file(files[i]);
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		ck_assert_int_eq(symlink(links[i][0], links[i][1]), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	return remove(path);
}

static void clear_away(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static int open_at(const char *path, int flags)
{
	char *whole = must_printf("%s/%s", folder, path), *in = must_printf("%s/in", folder);
	int fd = path_open((const char *const[]){in, NULL}, whole, flags, 0600);
	free(whole);
	free(in);
	return fd;
}

static int remove_at(const char *path)
{
	char *whole = must_printf("%s/%s", folder, path), *in = must_printf("%s/in", folder);
	int code = path_unlink((const char *const[]){in, NULL}, whole);
	free(whole);
	free(in);
	return code;
}

static void expect_open(const char *path, int flags, const char *real)
{
	struct stat is, wanted;
	int fd = open_at(path, flags);
	ck_assert_msg(fd >= 0, "%s: %d", path, fd);
	ck_assert_int_eq(fstat(fd, &is), 0);
	ck_assert_int_eq(stat(real, &wanted), 0);
	ck_assert_uint_eq(is.st_ino, wanted.st_ino);
	close(fd);
}

START_TEST(no_way_leads_out)
{
	lay_out();
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
	ck_assert(within("in/missing/a")); /* cannot be made: whoever tries is told why */
	ck_assert(!within("missing/a"));
	ck_assert(path_is_within("in/a", (const char *const[]){"/", NULL}));
	ck_assert(!path_is_within("in/a", (const char *const[]){NULL}));

	clear_away();
}
END_TEST

START_TEST(what_lies_inside_is_opened)
{
	lay_out();
	expect_open("in/a", O_RDONLY, "in/a");
	expect_open("in/good", O_RDONLY, "in/a");
	expect_open("in/../in/./a", O_RDWR, "in/a");
	expect_open("in/new", O_WRONLY | O_CREAT | O_EXCL, "in/new");
	expect_open("in/new", O_WRONLY | O_CREAT, "in/new");
	expect_open("in/sub/../made", O_WRONLY | O_CREAT, "in/made");
	expect_open("in/into/x", O_WRONLY | O_CREAT, "in/sub/x");
	expect_open("in/self/x", O_RDONLY, "in/sub/x");
	ck_assert_int_eq(open_at("in/new", O_WRONLY | O_CREAT | O_EXCL), -EEXIST);
	ck_assert_int_eq(open_at("in/none", O_RDONLY), -ENOENT);
	ck_assert_int_eq(open_at("in/none/x", O_WRONLY | O_CREAT), -ENOENT);
	ck_assert_int_eq(open_at("in/a/x", O_RDONLY), -ENOTDIR);
	ck_assert_int_eq(open_at("in/sub", O_WRONLY), -EISDIR);
	clear_away();
}
END_TEST

START_TEST(what_lies_outside_is_neither_opened_nor_made)
{
	static const char *const ways[] = {
		"b",        "in/../b",      "in/link", "in/up/b", "in/up/new",
		"inside/a", "none/a",       "in/..",   "in/up",   "in/root/etc/passwd",
		"in/far",   "in/up/in/up/b"};
	lay_out();
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		ck_assert_int_eq(open_at(ways[i], O_RDONLY), -PT_EPERMITTED);
		ck_assert_int_eq(open_at(ways[i], O_WRONLY | O_CREAT), -PT_EPERMITTED);
	}
	ck_assert_int_eq(open_at("in/nowhere", O_RDONLY), -PT_EPERMITTED);
	ck_assert_int_eq(open_at("in/nowhere", O_WRONLY | O_CREAT), -PT_EPERMITTED);
	ck_assert_int_eq(open_at("in/hanging", O_WRONLY | O_CREAT), -PT_EPERMITTED);
	ck_assert_int_eq(open_at("in/round", O_RDONLY), -PT_EPERMITTED);
	ck_assert_int_eq(open_at("in/good", O_WRONLY | O_CREAT | O_NOFOLLOW), -ELOOP);
	ck_assert_int_eq(access("new", F_OK), -1);
	clear_away();
}
END_TEST

START_TEST(a_fifo_makes_nobody_wait)
{
	lay_out();
	ck_assert_int_eq(mkfifo("in/fifo", 0600), 0);
	ck_assert_int_eq(open_at("in/fifo", O_WRONLY), -ENXIO);
	int fd = open_at("in/fifo", O_RDONLY);
	ck_assert_int_ge(fd, 0);
	close(fd);
	clear_away();
}
END_TEST

START_TEST(only_what_lies_inside_is_removed)
{
	lay_out();
	ck_assert_int_eq(remove_at("in/link"), 0); /* the link itself */
	ck_assert_int_eq(remove_at("in/up/b"), -PT_EPERMITTED);
	ck_assert_int_eq(remove_at("b"), -PT_EPERMITTED);
	ck_assert_int_eq(remove_at("in/a"), 0);
	ck_assert_int_eq(remove_at("in/a"), -ENOENT);
	ck_assert_int_eq(access("b", F_OK), 0);
	clear_away();
}
END_TEST

START_TEST(a_refusal_names_the_folders_and_how_to_mend_it)
{
	static const char *const folders[] = {"/var/x", "/run/y", NULL};
	struct pt_error err = PT_ERROR_INIT;
	int code = path_open(folders, "/etc/passwd", O_RDONLY, 0);
	ck_assert_int_eq(path_read_failed(folders, "fname", "/etc/passwd", code, &err), code);
	ck_assert_str_eq(err.faults[0].message,
	                 "'/etc/passwd' does not lie in a folder that may be "
	                 "used: /var/x, /run/y");
	ck_assert_ptr_nonnull(strstr(err.faults[0].hint, "`allow` under [files]"));
	pt_error_clear(&err);
}
END_TEST

START_TEST(a_link_that_leads_nowhere_is_called_so)
{
	struct pt_error err = PT_ERROR_INIT;
	lay_out();
	ck_assert_int_eq(path_read_failed(NULL, "fname", "in/hanging", -ENOENT, &err), -ENOENT);
	ck_assert_str_eq(err.faults[0].hint, "it is a link that leads nowhere");
	pt_error_clear(&err);
	clear_away();
}
END_TEST

/* Somebody swaps what `first` and `second` are for one another, as fast as it goes. */
static pid_t swap_for_ever(const char *first, const char *second)
{
	pid_t pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

START_TEST(a_link_that_is_swapped_meanwhile_never_leads_out)
{
	enum { ROUNDS = 20000, ENOUGH = 100 };
	struct stat inside, is;
	int opened = 0, refused = 0;
	lay_out();
	ck_assert_int_eq(symlink("a", "in/one"), 0);
	ck_assert_int_eq(symlink("../b", "in/other"), 0);
	ck_assert_int_eq(stat("in/a", &inside), 0);
	pid_t pid = swap_for_ever("in/one", "in/other");
	for (int i = 0; i < ROUNDS || opened < ENOUGH || refused < ENOUGH; i++) {
		int fd = open_at("in/one", O_RDONLY);
		ck_assert(fd >= 0 || fd == -PT_EPERMITTED || fd == -ELOOP);
		if (fd >= 0 && !fstat(fd, &is))
			ck_assert_uint_eq(is.st_ino, inside.st_ino);
		if (fd >= 0)
			close(fd);
		opened += fd >= 0;
		refused += fd < 0;
	}
	end(pid);
	clear_away();
}
END_TEST

START_TEST(a_folder_that_is_swapped_for_a_link_never_leads_out)
{
	enum { ROUNDS = 20000, ENOUGH = 100 };
	int made = 0, refused = 0;
	lay_out();
	ck_assert_int_eq(symlink("../inside", "in/other"), 0);
	pid_t pid = swap_for_ever("in/sub", "in/other");
	for (int i = 0; i < ROUNDS || made < ENOUGH || refused < ENOUGH; i++) {
		int fd = open_at("in/sub/x", O_WRONLY | O_CREAT);
		if (fd >= 0)
			close(fd);
		made += fd >= 0;
		refused += fd < 0;
		remove_at("in/sub/x");
	}
	end(pid);
	ck_assert_int_eq(access("inside/x", F_OK), -1);
	clear_away();
}
END_TEST

UNIT_TESTS("base/path", no_way_leads_out, what_lies_inside_is_opened,
           what_lies_outside_is_neither_opened_nor_made, a_fifo_makes_nobody_wait,
           only_what_lies_inside_is_removed, a_refusal_names_the_folders_and_how_to_mend_it,
           a_link_that_leads_nowhere_is_called_so, a_link_that_is_swapped_meanwhile_never_leads_out,
           a_folder_that_is_swapped_for_a_link_never_leads_out)
