/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file: what it sets, and how it is told that it is wrong. */
#include "daemon/conf.h"

#include "base/buf.h"
#include "base/log.h"
#include "paths.h"
#include "unit.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct conf conf;
static struct pt_error err;

static int read_text(const char *text)
{
	conf_clear(&conf);
	pt_error_clear(&err);
	return conf_read_text(text, strlen(text), &conf, &err);
}

static void expect_refused(const char *text, const char *words)
{
	ck_assert_int_lt(read_text(text), 0);
	ck_assert_msg(strstr(err.faults[0].message, words), "'%s' says '%s'", text,
	              err.faults[0].message);
	pt_error_clear(&err);
}

static void done(void)
{
	conf_clear(&conf);
	pt_error_clear(&err);
}

START_TEST(nothing_said_is_the_defaults)
{
	conf_default(&conf);
	ck_assert_ptr_null(conf.socket);
	ck_assert_int_eq(conf.connections, 1024);
	ck_assert_uint_eq(conf.line, 16 * 1024 * 1024);
	ck_assert_int_eq(conf.log_level, LOG_LEVEL_INFO);
	ck_assert_str_eq(conf.admin[0], "@pipetool");
	ck_assert_ptr_null(conf.admin[1]);
	ck_assert_str_eq(conf.files[0], "/");
	ck_assert_str_eq(conf.programs[3], "tmux");
	ck_assert(conf.script_time_s == 0.1);
	done();
}
END_TEST

START_TEST(every_kind_of_value_is_read)
{
	ck_assert_int_eq(read_text("[daemon]\nsocket = /tmp/s.sock\nlog_level=debug\n"
	                           "[access]\nadmin = root, @wheel\nviewer =\n"
	                           "[files]\nallow = /a:/b c\n"
	                           "[limits]\nconnections = 7\nmemory = 64MiB\n"
	                           "[script]\ntime = 50ms\n"),
	                 0);
	ck_assert_str_eq(conf.socket, "/tmp/s.sock");
	ck_assert_int_eq(conf.log_level, LOG_LEVEL_DEBUG);
	ck_assert_str_eq(conf.admin[0], "root");
	ck_assert_str_eq(conf.admin[1], "@wheel");
	ck_assert_ptr_null(conf.viewer[0]);
	ck_assert_str_eq(conf.files[0], "/a");
	ck_assert_str_eq(conf.files[1], "/b c");
	ck_assert_int_eq(conf.connections, 7);
	ck_assert_uint_eq(conf.memory, 64 * 1024 * 1024);
	ck_assert(conf.script_time_s == 0.05);
	done();
}
END_TEST

START_TEST(comments_and_indentation_are_no_values)
{
	ck_assert_int_eq(read_text("# all of it\n[access]\n   admin = root   # and nobody else\n"
	                           "\toperator = ann ; but not bob\n\n[daemon]\nsocket = /a#b\n"),
	                 0);
	ck_assert_str_eq(conf.admin[0], "root");
	ck_assert_ptr_null(conf.admin[1]);
	ck_assert_str_eq(conf.operator[0], "ann");
	ck_assert_ptr_null(conf.operator[1]);
	ck_assert_str_eq(conf.socket, "/a#b");
	done();
}
END_TEST

START_TEST(a_list_may_go_on_in_another_line)
{
	ck_assert_int_eq(read_text("[access]\nadmin = ann\nadmin = bob, @staff\n"), 0);
	ck_assert_str_eq(conf.admin[0], "ann");
	ck_assert_str_eq(conf.admin[2], "@staff");
	expect_refused("[daemon]\nsocket = /a\nsocket = /b\n", "line 3: 'socket' is given twice");
	done();
}
END_TEST

START_TEST(unknown_words_are_told_with_their_line_and_the_nearest)
{
	expect_refused("[daemon]\nsokcet = /a\n",
	               "line 2: unknown key 'sokcet' in [daemon]; did you mean 'socket'?");
	expect_refused("\n[limit]\nline = 1MiB\n",
	               "line 2: unknown section [limit]; did you mean [limits]?");
	expect_refused("socket = /a\n", "line 1: a key before the first [section]");
	done();
}
END_TEST

START_TEST(wrong_values_are_told_with_their_line)
{
	expect_refused("[files]\nallow = /a:srv/b\n", "'srv/b' is no folder from / on");
	expect_refused("[limits]\nconnections = many\n", "line 2: 'connections' must be");
	expect_refused("[limits]\nconnections = 0\n", "line 2: 'connections' must be");
	expect_refused("[limits]\n\nmemory = 3 cats\n", "line 3: 'memory' must be a size");
	expect_refused("[daemon]\nlog_level = loud\n", "line 2: 'log_level' must be one of");
	expect_refused("[daemon]\nwhat is this\n", "line 2: neither");
	expect_refused("[daemon]\nsocket = \xff\xfe\n", "line 2: ");
	expect_refused("[access]\nviewer = alice \xff\n", "line 2: 'viewer' is not UTF-8");
	expect_refused("[fleet]\nlabels = role=a lab\nlabels = role=b\n",
	               "labels: 'role=b' has no name, or is there twice");
	expect_refused("[fleet]\nlabels = =a\n", "labels: '=a' has no name");
	done();
}
END_TEST

START_TEST(all_faults_are_listed)
{
	ck_assert_int_lt(read_text("[daemon]\nsokcet = /a\n[limits]\nline = 1\nengines = no\n"), 0);
	ck_assert_uint_eq(err.count, 3);
	done();
}
END_TEST

START_TEST(a_refused_text_changes_nothing)
{
	ck_assert_int_eq(read_text("[daemon]\nsocket = /kept\n"), 0);
	ck_assert_int_lt(conf_read_text("[x]\ny = 1\n", 10, &conf, &err), 0);
	ck_assert_str_eq(conf.socket, "/kept");
	done();
}
END_TEST

START_TEST(a_line_of_any_length_is_read_or_refused)
{
	for (size_t length = 1; length < 5000; length = length * 3 / 2 + 1) {
		char *text = malloc(length + 64);
		int head = sprintf(text, "[daemon]\nsocket = /");
		memset(text + head, 'x', length);
		text[(size_t)head + length] = '\0';
		if (read_text(text) == 0)
			ck_assert_uint_eq(strlen(conf.socket), length + 1);
		else
			ck_assert_ptr_nonnull(strstr(err.faults[0].message, "line 2: longer"));
		free(text);
	}
	done();
}
END_TEST

START_TEST(a_file_that_is_missing_is_the_defaults_only_where_nobody_asked_for_it)
{
	ck_assert_int_eq(conf_read("/nowhere/pipetoold.conf", true, &conf, &err), 0);
	ck_assert_int_eq(conf.connections, 1024);
	ck_assert_int_eq(conf_read("/nowhere/pipetoold.conf", false, &conf, &err), -ENOENT);
	ck_assert_int_lt(conf_read("/", true, &conf, &err), 0);
	done();
}
END_TEST

/* ---- the file that is installed ---- */

/* Of the line `key = value  # words` or `#key = value` in a section: NULL where there is none. */
static char *value_in_file(const char *text, const char *section, const char *key, bool *commented)
{
	char *head = must_printf("\n[%s]\n", section);
	const char *line = strstr(text, head);
	free(head);
	ck_assert_msg(line, "no [%s]", section);
	for (line = strchr(line + 1, '\n') + 1; *line && *line != '[';) {
		size_t length = strcspn(line, "\n"), at = *line == '#';
		*commented = at;
		if (!strncmp(line + at, key, strlen(key)) &&
		    !strncmp(line + at + strlen(key), " =", 2)) {
			char *value = must_printf("%.*s", (int)(length - at - strlen(key) - 2),
			                          line + at + strlen(key) + 2);
			size_t end = strcspn(value, "#");
			while (end && value[end - 1] == ' ')
				end--;
			value[end] = '\0';
			memmove(value, value + strspn(value, " "), end + 1 - strspn(value, " "));
			return value;
		}
		line += length + (line[length] == '\n');
	}
	return NULL;
}

/* A table's default as somebody types it in the file. */
static char *default_in_file(const char *section, const struct pt_param *row)
{
	static const struct {
		const char *key, *value;
	} unsaid[] = {{"socket", PIPETOOL_RUN_DIR "/control.sock"}, {"state", PIPETOOL_STATE_DIR}};
	for (size_t i = 0; i < sizeof unsaid / sizeof *unsaid; i++)
		if (!strcmp(section, "daemon") && !strcmp(row->name, unsaid[i].key))
			return must_strdup(unsaid[i].value);
	if (!strcmp(row->fallback, "None"))
		return must_strdup("");
	json_t *list = json_loads(row->fallback, 0, NULL), *item;
	if (!list)
		return must_strdup(row->fallback);
	struct buf text = BUF_INIT;
	size_t i;
	json_array_foreach (list, i, item)
		buf_addf(&text, "%s%s", i ? ", " : "", json_string_value(item));
	json_decref(list);
	return buf_steal(&text);
}

static char *installed(void)
{
	char *text = NULL;
	FILE *file = fopen(INSTALLED_CONF, "r");
	size_t room = 0;
	ck_assert_msg(file && getdelim(&text, &room, '\0', file) > 0, "%s", INSTALLED_CONF);
	fclose(file);
	return text;
}

START_TEST(the_installed_file_tells_every_setting_and_its_default)
{
	char *text = installed();
	for (const struct conf_section *s = conf_sections; s->name; s++) {
		for (const struct pt_param *row = s->rows; row->name; row++) {
			bool commented = false;
			char *value = value_in_file(text, s->name, row->name, &commented);
			char *fallback = default_in_file(s->name, row);
			ck_assert_msg(value, "[%s] %s is not told of", s->name, row->name);
			if (commented)
				ck_assert_str_eq(value, fallback);
			else
				ck_assert_str_eq(s->name, "files");
			free(value);
			free(fallback);
		}
	}
	free(text);
}
END_TEST

START_TEST(the_installed_file_allows_blocks_two_folders)
{
	ck_assert_int_eq(conf_read(INSTALLED_CONF, false, &conf, &err), 0);
	ck_assert_str_eq(conf.files[0], "/var/lib/pipetool");
	ck_assert_str_eq(conf.files[1], "/run/pipetool");
	ck_assert_ptr_null(conf.files[2]);
	done();
}
END_TEST

START_TEST(what_the_installed_file_tells_can_be_read)
{
	char *text = installed();
	for (char *at = text; (at = strstr(at, "\n#")); at++)
		if (at[2] >= 'a' && at[2] <= 'z' && at[strcspn(at + 1, "\n")] != '=')
			at[1] = ' ';
	ck_assert_int_eq(read_text(text), 0);
	free(text);
	done();
}
END_TEST

UNIT_TESTS("daemon/conf", nothing_said_is_the_defaults, every_kind_of_value_is_read,
           comments_and_indentation_are_no_values, a_list_may_go_on_in_another_line,
           unknown_words_are_told_with_their_line_and_the_nearest,
           wrong_values_are_told_with_their_line, all_faults_are_listed,
           a_refused_text_changes_nothing, a_line_of_any_length_is_read_or_refused,
           a_file_that_is_missing_is_the_defaults_only_where_nobody_asked_for_it,
           the_installed_file_tells_every_setting_and_its_default,
           the_installed_file_allows_blocks_two_folders, what_the_installed_file_tells_can_be_read)
