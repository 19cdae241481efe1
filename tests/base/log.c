/* SPDX-License-Identifier: BSD-2-Clause */
/* The log: whole lines on standard error, or to whoever takes them. */
#include "base/log.h"

#include "unit.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char seen[256];
static struct log_about about;
static bool takes;

static bool take(enum log_level level, const struct log_about *of, const char *line)
{
	snprintf(seen, sizeof seen, "%d %s", (int)level, line);
	about = *of;
	return takes;
}

/* What standard error gets meanwhile. */
static void catch (void (*act)(void), char *text, size_t room)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
	act();
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	text[fread(text, 1, room - 1, file)] = '\0';
	fclose(file);
}

static void log_two(void)
{
	errno = ENOENT;
	log_warning("%s is %d", "it", 7);
	log_info("news");
	log_debug("nobody wants to know");
	ck_assert_int_eq(errno, ENOENT);
}

START_TEST(lines_go_to_standard_error)
{
	char text[256];
	catch (log_two, text, sizeof text);
	ck_assert_str_eq(text, "pipetoold: warning: it is 7\npipetoold: news\n");
}
END_TEST

static void log_lines(void)
{
	log_error("one\n  two");
}

/* "2026-11-29T10:00:00.123+01:00 " */
static size_t time_length(const char *text)
{
	static const char shape[] = "0000-00-00T00:00:00.000+00:00 ";
	for (size_t i = 0; shape[i]; i++)
		if (shape[i] == '0'   ? !isdigit((unsigned char)text[i])
		    : shape[i] == '+' ? !strchr("+-", text[i])
		                      : text[i] != shape[i])
			return 0;
	return strlen(shape);
}

START_TEST(each_line_may_begin_with_the_time)
{
	char text[256];
	log_set_times(true);
	catch (log_lines, text, sizeof text);
	log_set_times(false);
	const char *first = text + time_length(text), *second = strchr(text, '\n') + 1;
	ck_assert(first > text && time_length(second));
	ck_assert_int_eq(strncmp(first, "pipetoold: error: one\n", 22), 0);
	ck_assert_str_eq(second + time_length(second), "pipetoold:   two\n");
}
END_TEST

START_TEST(the_level_says_what_is_left_out)
{
	char text[256];
	log_set_level(LOG_LEVEL_ERROR);
	catch (log_two, text, sizeof text);
	ck_assert_str_eq(text, "");
	log_set_level(LOG_LEVEL_INFO);
}
END_TEST

static void log_about_engine(void)
{
	const struct log_about engine = {.engine = "e", .block = "b", .revision = 3, .event = "id"};
	log_about(&engine, LOG_LEVEL_ERROR, "engine %s", "e");
}

START_TEST(who_takes_a_line_hears_what_it_is_about)
{
	char text[256];
	takes = true;
	log_set_taker(take);
	catch (log_about_engine, text, sizeof text);
	ck_assert_str_eq(text, "");
	ck_assert_str_eq(seen, "0 engine e");
	ck_assert_str_eq(about.engine, "e");
	ck_assert_str_eq(about.block, "b");
	ck_assert_uint_eq(about.revision, 3);
	ck_assert_str_eq(about.event, "id");
	catch (log_two, text, sizeof text);
	ck_assert_str_eq(seen, "2 news");
	ck_assert_ptr_null(about.engine);
	log_set_taker(NULL);
}
END_TEST

START_TEST(a_line_that_is_not_taken_is_not_lost)
{
	char text[256];
	takes = false;
	log_set_taker(take);
	catch (log_about_engine, text, sizeof text);
	ck_assert_str_eq(text, "pipetoold: error: engine e\n");
	log_set_taker(NULL);
}
END_TEST

UNIT_TESTS("base/log", lines_go_to_standard_error, each_line_may_begin_with_the_time,
           the_level_says_what_is_left_out, who_takes_a_line_hears_what_it_is_about,
           a_line_that_is_not_taken_is_not_lost)
