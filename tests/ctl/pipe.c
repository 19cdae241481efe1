/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests pipe text from the command line, and errors put back to their place in it. */
#include "ctl/pipe.h"

#include "unit.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char text[] = "s = Feeder(n=1); d = Drain()\ns > d";

static struct pipe_text parsed(void)
{
	struct pipe_text p = {.text = BUF_INIT};
	struct lang_env env = {0};
	buf_adds(&p.text, text);
	ck_assert_int_eq(lang_parse(text, strlen(text), &env, &p.program, NULL), 0);
	return p;
}

static void located(const char *path, const char *message, const char *caret)
{
	struct pipe_text p = parsed();
	struct pt_error err = PT_ERROR_INIT;
	pt_fail(&err, -PT_EPARAM, path, "it is wrong");
	pipe_locate(&p, &err);
	ck_assert_str_eq(err.faults[0].message, message);
	ck_assert_str_eq(err.faults[0].hint ? err.faults[0].hint : "", caret);
	pt_error_clear(&err);
	pipe_fini(&p);
}

START_TEST(refusals_find_their_place)
{
	located("$.ops[1].type", "line 1, column 22: it is wrong",
	        "s = Feeder(n=1); d = Drain()\n                     ^");
	located("$.blocks[1].type", "line 1, column 22: it is wrong",
	        "s = Feeder(n=1); d = Drain()\n                     ^");
	located("$.links[0].to", "line 2, column 5: it is wrong", "s > d\n    ^");
	located("$.links[7].to", "it is wrong", "");
	located("$.engine", "it is wrong", "");
	located(NULL, "it is wrong", "");
}
END_TEST

START_TEST(a_hint_moves_into_the_line_above_the_caret)
{
	struct pipe_text p = parsed();
	struct pt_error err = PT_ERROR_INIT;
	p.origin = "g.pipe";
	pt_fail(&err, -PT_EPARAM, "$.links[0].to", "it is wrong");
	pt_hint(&err, "mend it");
	pipe_locate(&p, &err);
	ck_assert_str_eq(err.faults[0].message, "g.pipe: line 2, column 5: it is wrong (mend it)");
	ck_assert_str_eq(err.faults[0].hint, "s > d\n    ^");
	pt_error_clear(&err);
	pipe_fini(&p);
}
END_TEST

START_TEST(operations_become_blocks_and_links)
{
	struct pipe_text p = parsed();
	json_t *params = json_object();
	pipe_graph(&p, params);
	json_t *blocks = json_object_get(params, "blocks"),
	       *links = json_object_get(params, "links");
	ck_assert_uint_eq(json_array_size(blocks), 2);
	ck_assert_uint_eq(json_array_size(links), 1);
	ck_assert_ptr_null(json_object_get(json_array_get(blocks, 0), "op"));
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(links, 0), "to")), "d");
	ck_assert_ptr_nonnull(json_object_get(json_array_get(p.program.ops, 0), "op"));
	json_decref(params);
	pipe_fini(&p);
}
END_TEST

static int gather(const char *values, struct pipe_text *p, struct pt_error *err)
{
	struct ctl ctl = {.values = json_loads(values, 0, NULL)};
	int code = pipe_gather(p, &ctl, err);
	json_decref(ctl.values);
	return code;
}

START_TEST(arguments_are_lines)
{
	struct pipe_text p;
	ck_assert_int_eq(gather("{\"pipe\": [\"a = Drain()\", \"a > b\"]}", &p, NULL), 0);
	ck_assert_str_eq(p.text.data, "a = Drain()\na > b");
	pipe_fini(&p);
	ck_assert_int_eq(gather("{}", &p, NULL), 0);
	ck_assert_uint_eq(p.text.length, 0);
	pipe_fini(&p);
}
END_TEST

START_TEST(a_file_is_read_and_named)
{
	char path[] = "/tmp/pipe-test-XXXXXX", values[128];
	struct pipe_text p;
	struct pt_error err = PT_ERROR_INIT;
	int fd = mkstemp(path);
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
	snprintf(values, sizeof values, "{\"file\": \"%s\"}", path);
	struct ctl ctl = {.values = json_loads(values, 0, NULL)};
	ck_assert_int_eq(pipe_gather(&p, &ctl, NULL), 0);
	ck_assert_mem_eq(p.text.data, text, strlen(text));
	ck_assert_str_eq(p.origin, path);
	pipe_fini(&p);
	unlink(path);
	ck_assert_int_eq(pipe_gather(&p, &ctl, &err), -PT_EREQUEST);
	ck_assert_ptr_nonnull(strstr(err.faults[0].message, "no such file"));
	pt_error_clear(&err);
	pipe_fini(&p);
	json_decref(ctl.values);
	ck_assert_int_eq(gather("{\"file\": \"x\", \"pipe\": [\"y\"]}", &p, NULL), -PT_EREQUEST);
	pipe_fini(&p);
}
END_TEST

UNIT_TESTS("ctl/pipe", refusals_find_their_place, a_hint_moves_into_the_line_above_the_caret,
           operations_become_blocks_and_links, arguments_are_lines, a_file_is_read_and_named)
