/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of a folder, and what their comments say. */
#include "fleet/folder.h"

#include "base/buf.h"
#include "base/io.h"
#include "fleet/label.h"
#include "unit.h"
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *folder_new(void)
{
	char *path = must_strdup("/tmp/pipetool-folder-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	return path;
}

static void put(const char *folder, const char *name, const char *text)
{
	char *path = must_printf("%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(io_write(fd, text, strlen(text)), 0);
	close(fd);
	free(path);
}

static int take_away(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static void folder_end(char *path)
{
	nftw(path, take_away, 8, FTW_DEPTH | FTW_PHYS);
	free(path);
}

static json_t *labels(const char *text)
{
	json_t *labels = json_object();
	label_set(labels, text);
	return labels;
}

START_TEST(comments_at_the_top_say_for_whom)
{
	struct folder folder;
	char *path = folder_new();
	put(path, "b.pipe",
	    "\xef\xbb\xbf# on: role=web, north\n#on: lab \n\n#  engine:\tgate \r\nDrain()\n");
	put(path, "a.pipe", "Drain()\n# on: nobody\n# engine: other\n");
	put(path, ".c.pipe", "");
	put(path, "d.txt", "");
	ck_assert_int_eq(folder_read(path, &folder, NULL), 0);
	ck_assert_uint_eq(folder.count, 2);
	ck_assert_str_eq(folder.files[0].engine, "a");
	ck_assert_str_eq(folder.files[1].engine, "gate");
	json_t *web = labels("role=web"), *lab = labels("lab=7");
	ck_assert(folder_is_for(&folder.files[0], web));
	ck_assert(!folder_is_for(&folder.files[1], web));
	ck_assert(folder_is_for(&folder.files[1], lab));
	label_set(web, "north");
	ck_assert_ptr_eq(folder_find(&folder, "gate", web), &folder.files[1]);
	ck_assert_ptr_null(folder_find(&folder, "b", web));
	json_decref(web);
	json_decref(lab);
	folder_free(&folder);
	folder_end(path);
}
END_TEST

START_TEST(one_engine_has_one_file_on_a_host)
{
	struct folder folder;
	struct pt_error err = PT_ERROR_INIT;
	char *path = folder_new();
	put(path, "a.pipe", "# on: x\n# engine: e\n");
	put(path, "b.pipe", "# on: y\n# engine: e\n");
	ck_assert_int_eq(folder_read(path, &folder, NULL), 0);
	json_t *one = labels("x"), *other = labels("z");
	ck_assert_int_eq(folder_check(&folder, "h", one, NULL), 0);
	ck_assert_int_eq(folder_check(&folder, "h", other, NULL), 0);
	label_set(one, "y");
	ck_assert_int_eq(folder_check(&folder, "h", one, &err), -PT_EREQUEST);
	ck_assert_str_eq(err.faults[0].message, "a.pipe and b.pipe both make engine 'e' on 'h'");
	pt_error_clear(&err);
	json_decref(one);
	json_decref(other);
	folder_free(&folder);
	folder_end(path);
}
END_TEST

static void refused(const char *name, const char *text, const char *words)
{
	struct folder folder;
	struct pt_error err = PT_ERROR_INIT;
	char *path = folder_new();
	put(path, name, text);
	ck_assert_int_eq(folder_read(path, &folder, &err), -PT_EREQUEST);
	ck_assert_msg(strstr(err.faults[0].message, words), "%s", err.faults[0].message);
	pt_error_clear(&err);
	folder_free(&folder);
	folder_end(path);
}

START_TEST(what_means_nothing_is_refused)
{
	struct folder folder;
	refused("a b.pipe", "Drain()", "'a b' is no name of an engine");
	refused("a.pipe", "# engine: x.y\n", "'x.y' is no name of an engine");
	refused("a.pipe", "# on:  \n", "names no label");
	refused("a.pipe", "# on: x, \xff\nDrain()", "/a.pipe' is no UTF-8 text");
	refused("a.txt", "Drain()", "there is no *.pipe file in the folder '/tmp/");
	ck_assert_int_eq(folder_read("/nowhere", &folder, NULL), -PT_EREQUEST);
	folder_free(&folder);
}
END_TEST

/* Of names of one file, which fits four times. */
START_TEST(what_is_too_much_is_refused)
{
	enum { FILE_MAX = 16 * 1024 * 1024 };
	struct folder folder;
	struct pt_error err = PT_ERROR_INIT;
	char *path = folder_new(), *text = must_calloc(FILE_MAX + 1, 1), name[] = "b.pipe";
	memset(text, 'x', FILE_MAX);
	put(path, "a.pipe", text);
	char *first = must_printf("%s/a.pipe", path);
	for (; *name < 'e'; ++*name) {
		char *other = must_printf("%s/%s", path, name);
		ck_assert_int_eq(link(first, other), 0);
		free(other);
	}
	ck_assert_int_eq(folder_read(path, &folder, NULL), 0);
	ck_assert_uint_eq(folder.count, 4);
	folder_free(&folder);
	put(path, "e.pipe", "Drain()\n");
	ck_assert_int_eq(folder_read(path, &folder, &err), -PT_EREQUEST);
	ck_assert_msg(strstr(pt_error_text(&err, ""), "/e.pipe' the files are more than 64 MiB"),
	              "%s", pt_error_text(&err, ""));
	pt_error_clear(&err);
	folder_free(&folder);
	free(first);
	free(text);
	folder_end(path);
}
END_TEST

static void check_sums(const struct folder *folder, const char *sums, const char *words)
{
	struct pt_error err = PT_ERROR_INIT;
	int code = folder_check_sums(folder, sums, &err);
	ck_assert_int_eq(code, words ? -PT_EREQUEST : 0);
	if (words)
		ck_assert_str_eq(pt_error_text(&err, ""), words);
	pt_error_clear(&err);
}

START_TEST(a_list_of_sums_tells_whether_all_of_it_is_there)
{
	static const char sum[] =
		"40b5c2519a5611984c5e902feaf7d0289dedfc37e342a26e8e84a81b7aae231f";
	static const struct {
		const char *before, *name, *words;
	} lists[] = {
		{"", "  a.pipe\n", NULL},
		{"", " *./a.pipe\r\n", NULL},
		{"", "  a.pipe", NULL},
		{"", "  b/c.pipe\n", "SHA256SUMS: 'a.pipe' is not in it"},
		{"", "\n", "SHA256SUMS: line 1 is not as sha256sum writes it"},
		{"0", "  a.pipe\n", "SHA256SUMS: line 1 is not as sha256sum writes it"},
	};
	struct folder folder;
	char *path = folder_new();
	put(path, "a.pipe", "Drain()\n");
	ck_assert_int_eq(folder_read(path, &folder, NULL), 0);
	ck_assert_str_eq(folder.hash,
	                 "4b983b6edb9f692cd9dd13a97d04fe4c1b6e8fbf4ea8f085d76bb94f8fc52aa9");
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		char *text = must_printf("%s%s%s", lists[i].before, sum, lists[i].name);
		check_sums(&folder, text, lists[i].words);
		free(text);
	}
	char *more = must_printf("%s  a.pipe\n%s  README\n%s  b.pipe\n", sum, sum, sum);
	check_sums(&folder, more, "SHA256SUMS: 'b.pipe' is in it, and not in the folder");
	free(more);
	char *other = must_printf("%.63s0  a.pipe\n", sum);
	check_sums(&folder, other, "SHA256SUMS: 'a.pipe' is another than it says");
	free(other);
	folder_free(&folder);
	folder_end(path);
}
END_TEST

UNIT_TESTS("fleet/folder", comments_at_the_top_say_for_whom, one_engine_has_one_file_on_a_host,
           what_means_nothing_is_refused, what_is_too_much_is_refused,
           a_list_of_sums_tells_whether_all_of_it_is_there)
