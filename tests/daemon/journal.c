/* SPDX-License-Identifier: BSD-2-Clause */
/* The state folder: what was kept is found, whatever happened to the file's end; what was damaged
   is put aside. */
#include "daemon/journal.h"

#include "base/buf.h"
#include "unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/pipetool-journal-XXXXXX";
static uv_loop_t loop;
static struct mailbox mailbox;
static struct journal *journal;
static char found[4096]; /* what a scan tells */

static void settled(void *owner)
{
	++*(int *)owner;
}

static void begin(void)
{
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(mailbox_init(&mailbox, &loop, 0), 0);
	ck_assert_int_eq(journal_open(folder, &mailbox, &journal, NULL), 0);
}

static void end(void)
{
	journal_close(journal);
	mailbox_close(&mailbox);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	mailbox_fini(&mailbox);
}

static void first(void)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	begin();
}

static void last(void)
{
	end();
	char *command = must_printf("rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
	free(command);
}

static void await(struct journal_file *f)
{
	while (journal_settled_until(f) < journal_asked(f))
		uv_run(&loop, UV_RUN_ONCE);
}

static int count; /* of what was settled */
static int lost;  /* files, at the last look */

/* As whoever looks for engines takes them up. */
static int take_up(void *arg, const char *engine, const json_t *records, struct pt_error *err)
{
	struct journal_file **f = arg;
	if (!strcmp(engine, "a"))
		*f = journal_file_new(journal, engine, true, settled, &count);
	return 0;
}

/* What was set aside lies where it is said to. */
static void on_lost(void *arg, const char *engine, const char *why, bool aside)
{
	const char *where = strstr(why, "it is kept as ");
	lost++;
	ck_assert_msg(where != NULL, "%s", why);
	ck_assert_int_eq(access(where + strlen("it is kept as "), F_OK), 0);
}

static void keep(const char *engine, bool there, const char *texts)
{
	struct journal_file *f = NULL;
	count = 0;
	if (there)
		journal_scan(journal, take_up, on_lost, &f);
	else
		f = journal_file_new(journal, engine, false, settled, &count);
	ck_assert_ptr_nonnull(f);
	json_t *records = json_loads(texts, 0, NULL), *record;
	size_t i;
	if (!there)
		journal_rewrite(f, records);
	else
		json_array_foreach (records, i, record)
			journal_append(f, record);
	await(f);
	ck_assert_int_eq(journal_failed(f), 0);
	ck_assert_uint_eq((unsigned)count, journal_asked(f));
	journal_file_free(f);
	json_decref(records);
}

static int on_found(void *arg, const char *engine, const json_t *records, struct pt_error *err)
{
	char *text = json_dumps(records, JSON_COMPACT);
	size_t length = strlen(found);
	snprintf(found + length, sizeof found - length, "%s=%s ", engine, text);
	free(text);
	return 0;
}

static void expect(const char *words)
{
	found[0] = '\0';
	lost = 0;
	journal_scan(journal, on_found, on_lost, NULL);
	ck_assert_str_eq(found, words);
}

static char *path_of(const char *name)
{
	return must_printf("%s/%s", folder, name);
}

static struct buf contents(const char *name)
{
	char *path = path_of(name);
	struct buf b = BUF_INIT;
	int fd = open(path, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	b.length = (size_t)read(fd, buf_reserve(&b, 65536), 65536);
	close(fd);
	free(path);
	return b;
}

static void put(const char *name, const char *bytes, size_t length)
{
	char *path = path_of(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
	close(fd);
	free(path);
}

static unsigned count_of(const char *pattern)
{
	char *command = must_printf("ls %s | grep -c '%s'", folder, pattern);
	FILE *out = popen(command, "r");
	unsigned n = 0;
	ck_assert_int_eq(fscanf(out, "%u", &n), 1);
	pclose(out);
	free(command);
	return n;
}

START_TEST(what_was_kept_is_found)
{
	first();
	keep("a", false, "[{\"n\":1}]");
	keep("a", true, "[{\"n\":2},{\"n\":3}]");
	keep("b.c", false, "[{\"text\":\"a\\nb\"}]");
	end();
	begin();
	expect("a=[{\"n\":1},{\"n\":2},{\"n\":3}] b.c=[{\"text\":\"a\\nb\"}] ");
	last();
}
END_TEST

START_TEST(wherever_the_last_record_was_torn_the_rest_is_found)
{
	first();
	keep("a", false, "[{\"n\":1}]");
	struct buf short_text = contents("a.journal");
	keep("a", true, "[{\"n\":2}]");
	struct buf text = contents("a.journal");
	for (size_t length = short_text.length; length < text.length; length++) {
		put("a.journal", text.data, length);
		expect("a=[{\"n\":1}] ");
		struct buf after = contents("a.journal");
		ck_assert_uint_eq(after.length, short_text.length);
		buf_free(&after);
	}
	buf_free(&short_text);
	buf_free(&text);
	last();
}
END_TEST

START_TEST(a_torn_file_is_appended_to)
{
	first();
	keep("a", false, "[{\"n\":1},{\"n\":2}]");
	struct buf text = contents("a.journal");
	put("a.journal", text.data, text.length - 3);
	expect("a=[{\"n\":1}] ");
	keep("a", true, "[{\"n\":3}]");
	expect("a=[{\"n\":1},{\"n\":3}] ");
	buf_free(&text);
	last();
}
END_TEST

START_TEST(any_flipped_byte_puts_the_file_aside_and_others_are_found)
{
	first();
	keep("b", false, "[{\"n\":9}]");
	keep("a", false, "[{\"n\":1},{\"n\":2}]");
	struct buf text = contents("a.journal");
	unsigned aside = 0;
	for (size_t i = 0; i < text.length; i++) {
		char was = text.data[i];
		text.data[i] = (char)(was ^ 4);
		put("a.journal", text.data, text.length);
		text.data[i] = was;
		/* Without its newline the last record is as good as torn. */
		if (i == text.length - 1) {
			expect("a=[{\"n\":1}] b=[{\"n\":9}] ");
			continue;
		}
		expect("b=[{\"n\":9}] ");
		ck_assert_int_eq(lost, ++aside <= 100); /* so many, and no more */
	}
	ck_assert_uint_eq(count_of("a.journal.damaged-"), aside < 100 ? aside : 100);
	buf_free(&text);
	last();
}
END_TEST

START_TEST(a_line_that_is_missing_is_noticed)
{
	first();
	keep("a", false, "[{\"n\":1},{\"n\":2},{\"n\":3}]");
	struct buf text = contents("a.journal");
	char *second = strchr(strchr(text.data, '\n') + 1, '\n') + 1;
	char *third = strchr(second, '\n') + 1;
	size_t rest = text.length - (size_t)(third - text.data);
	memmove(second, third, rest);
	put("a.journal", text.data, (size_t)(second - text.data) + rest);
	expect("");
	ck_assert_int_eq(lost, 1);
	ck_assert_uint_eq(count_of("damaged"), 1);
	buf_free(&text);
	last();
}
END_TEST

START_TEST(an_empty_file_and_garbage_are_put_aside)
{
	first();
	put("a.journal", "", 0);
	put("b.journal", "\0\0\0\0\n", 5);
	put("c.journal", "hello\nworld\n", 12);
	put("d.journal.new", "half", 4);
	expect("");
	ck_assert_int_eq(lost, 3);
	ck_assert_uint_eq(count_of("damaged"), 3);
	ck_assert_uint_eq(count_of("new"), 0);
	last();
}
END_TEST

START_TEST(a_new_engine_does_not_write_over_what_could_not_be_used)
{
	first();
	put("a.journal", "precious", 8);
	keep("a", false, "[{\"n\":1}]");
	expect("a=[{\"n\":1}] ");
	ck_assert_uint_eq(count_of("damaged"), 1);
	last();
}
END_TEST

START_TEST(a_folder_is_for_one)
{
	struct journal *other;
	struct pt_error err = PT_ERROR_INIT;
	first();
	ck_assert_int_eq(journal_open(folder, &mailbox, &other, &err), -PT_ESTATE);
	pt_error_clear(&err);
	last();
}
END_TEST

START_TEST(a_record_that_cannot_be_written_fails_and_those_after_it_too)
{
	count = 0;
	first();
	json_t *record = json_pack("{s:i}", "n", 1), *records = json_pack("[O]", record);
	struct journal_file *f = journal_file_new(journal, "a", false, settled, &count);
	journal_rewrite(f, records);
	await(f);
	char *path = path_of("a.journal"), *away = path_of("away");
	ck_assert_int_eq(rename(path, away), 0);
	journal_append(f, record);
	await(f);
	ck_assert_int_eq(journal_failed(f), -ENOENT);
	ck_assert_int_eq(rename(away, path), 0);
	journal_append(f, record);
	await(f);
	ck_assert_int_eq(journal_failed(f), -ENOENT);
	expect("a=[{\"n\":1}] ");
	journal_rewrite(f, records);
	journal_append(f, record);
	await(f);
	ck_assert_int_eq(journal_failed(f), 0);
	expect("a=[{\"n\":1},{\"n\":1}] ");
	journal_remove(f);
	await(f);
	expect("");
	journal_file_free(f);
	json_decref(records);
	json_decref(record);
	free(path);
	free(away);
	last();
}
END_TEST

UNIT_TESTS("daemon/journal", what_was_kept_is_found,
           wherever_the_last_record_was_torn_the_rest_is_found, a_torn_file_is_appended_to,
           any_flipped_byte_puts_the_file_aside_and_others_are_found,
           a_line_that_is_missing_is_noticed, an_empty_file_and_garbage_are_put_aside,
           a_new_engine_does_not_write_over_what_could_not_be_used, a_folder_is_for_one,
           a_record_that_cannot_be_written_fails_and_those_after_it_too)
