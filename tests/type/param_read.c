/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests reading values into a state, changing them, and releasing them. */
#include "type/param.h"

#include "base/named_fd.h"
#include "unit.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct pt_func {
	char text[32];
	int fd; /* 0: none */
};

struct state {
	bool flag;
	int64_t port;
	double speed, period;
	uint64_t limit;
	char *iface, **args;
	int overflow, linktype, fd;
	struct pt_file file;
	struct pt_bytes key;
	struct pt_given_list msg;
	struct pt_func *f;
	struct {
		uint64_t size;
		int64_t files;
	} rotate;
	json_t *any;
};

struct rotation {
	uint64_t size;
	int64_t files;
};

static const char *const overflows[] = {"drop-oldest", "block", NULL};
static const struct pt_param rotate[] = {
	{.name = "size", PT_SIZE(struct rotation, size), .fallback = "0"},
	{.name = "files", PT_INT(struct rotation, files), .fallback = "5"},
	{NULL},
};
static const struct pt_param rows[] = {
	{.name = "flag", PT_BOOL(struct state, flag), .fallback = "True"},
	{.name = "port", PT_INT(struct state, port), .fallback = "80"},
	{.name = "speed", PT_NUMBER(struct state, speed), .fallback = "1.5"},
	{.name = "period", PT_SECONDS(struct state, period), .fallback = "'100ms'"},
	{.name = "limit", PT_SIZE(struct state, limit), .fallback = "64MiB"},
	{.name = "iface", PT_STRING(struct state, iface), .fallback = "None"},
	{.name = "args", PT_STRINGS(struct state, args), .fallback = "[\"-k\", \"-i\"]"},
	{.name = "overflow",
         PT_CHOICE(struct state, overflow),
         .fallback = "'block'",
         .choices = overflows},
	{.name = "linktype", PT_LINKTYPE(struct state, linktype), .fallback = "None"},
	{.name = "fd", PT_FD(struct state, fd), .fallback = "None"},
	{.name = "file", PT_FILE(struct state, file), .fallback = "None", .flags = PT_READ},
	{.name = "key", PT_BYTES(struct state, key), .fallback = "\"\""},
	{.name = "msg", PT_MESSAGES(struct state, msg), .fallback = "hello"},
	{.name = "f", PT_TRANSFORM(struct state, f), .fallback = "reverse"},
	{.name = "rotate", PT_OBJECT(struct state, rotate), .fallback = "None", .members = rotate},
	{.name = "any", PT_JSON(struct state, any), .fallback = "None"},
	{NULL},
};

static int functions;

static int compile(void *arg, enum pt_kind kind, const char *text, struct pt_func **func,
                   struct pt_error *err)
{
	ck_assert_int_eq(kind, PT_KIND_TRANSFORM);
	if (!strcmp(text, "broken"))
		return pt_fail(err, -PT_ESCRIPT, NULL, "it is broken");
	*func = calloc(1, sizeof **func);
	strcpy((*func)->text, text);
	functions++;
	return 0;
}

static void release(struct pt_func *func)
{
	if (func->fd > 0)
		close(func->fd);
	free(func);
	functions--;
}

static int descriptor(void *arg, int n)
{
	return n == 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
}

static void hand(struct pt_func *func, int fd)
{
	func->fd = fd;
}

static const struct param_env env = {
	.compile = compile, .release = release, .hand = hand, .descriptor = descriptor};

static int read_text(const char *text, struct state *s, struct pt_error *err)
{
	json_t *object = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(object);
	ck_assert_int_eq(param_check(rows, object, NULL), 0);
	memset(s, 0, sizeof *s);
	int code = param_read(rows, object, s, &env, err);
	json_decref(object);
	return code;
}

static void done(struct state *s)
{
	param_release(rows, s, &env);
	ck_assert_int_eq(functions, 0);
}

START_TEST(defaults_are_there)
{
	struct state s;
	ck_assert_int_eq(read_text("{}", &s, NULL), 0);
	ck_assert(s.flag);
	ck_assert_int_eq(s.port, 80);
	ck_assert_double_eq(s.speed, 1.5);
	ck_assert_double_eq_tol(s.period, 0.1, 1e-12);
	ck_assert_uint_eq(s.limit, 67108864);
	ck_assert_ptr_null(s.iface);
	ck_assert_str_eq(s.args[1], "-i");
	ck_assert_ptr_null(s.args[2]);
	ck_assert_int_eq(s.overflow, 1);
	ck_assert_int_eq(s.linktype, -1);
	ck_assert_int_eq(s.fd, -1);
	ck_assert_uint_eq(s.key.length, 0);
	ck_assert_uint_eq(s.msg.count, 1);
	ck_assert_mem_eq(s.msg.items[0].bytes.data, "hello", 5);
	ck_assert_str_eq(s.f->text, "reverse");
	ck_assert_int_eq(s.rotate.files, 5);
	ck_assert_ptr_null(s.any);
	done(&s);
}
END_TEST

START_TEST(values_go_where_they_belong)
{
	struct state s;
	ck_assert_int_eq(
		read_text("{\"flag\": false, \"port\": -7, \"period\": \"2m\","
	                  " \"iface\": \"lo\", \"linktype\": 101, \"fd\": {\"fd\": 0},"
	                  " \"key\": {\"hex\": \"00FF\"}, \"msg\": [\"a\", {\"base64\": \"YmM=\"}],"
	                  " \"rotate\": {\"size\": \"1Ki\"}, \"any\": {\"a\": [1]}}",
	                  &s, NULL),
		0);
	ck_assert(!s.flag);
	ck_assert_int_eq(s.port, -7);
	ck_assert_double_eq(s.period, 120);
	ck_assert_str_eq(s.iface, "lo");
	ck_assert_int_eq(s.linktype, 101);
	ck_assert_int_ge(s.fd, 0);
	ck_assert_mem_eq(s.key.data, "\x00\xff", 2);
	ck_assert_uint_eq(s.msg.count, 2);
	ck_assert_mem_eq(s.msg.items[1].bytes.data, "bc", 2);
	ck_assert(!s.msg.items[1].is_text && !s.msg.items[1].is_packet);
	ck_assert_uint_eq(s.rotate.size, 1024);
	ck_assert_int_eq(s.rotate.files, 5);
	ck_assert_uint_eq(json_array_size(json_object_get(s.any, "a")), 1);
	int fd = s.fd;
	done(&s);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(descriptors_have_names_too)
{
	struct state s;
	struct pt_error err = PT_ERROR_INIT;
	int pipe[2];
	ck_assert_int_eq(pipe2(pipe, O_CLOEXEC), 0);
	named_fd_add("input", pipe[0]);
	named_fd_add("input", pipe[1]);
	ck_assert_int_eq(read_text("{\"fd\": \"input\"}", &s, NULL), 0);
	ck_assert_int_ne(s.fd, pipe[0]);
	ck_assert_int_eq(fcntl(s.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	done(&s);
	ck_assert_int_eq(read_text("{\"fd\": {\"fd\": \"inputs\"}}", &s, &err), -PT_EPARAM);
	ck_assert_ptr_nonnull(strstr(err.faults[0].message, "no descriptor named 'inputs'"));
	ck_assert_str_eq(err.faults[0].hint, "did you mean 'input'?");
	pt_error_clear(&err);
	done(&s);
}
END_TEST

START_TEST(a_file_is_a_path_or_a_descriptor)
{
	struct state s;
	ck_assert_int_eq(read_text("{\"file\": \"/tmp/x\"}", &s, NULL), 0);
	ck_assert_str_eq(s.file.path, "/tmp/x");
	ck_assert_int_eq(s.file.fd, -1);
	done(&s);
	ck_assert_int_eq(read_text("{\"file\": {\"fd\": 0, \"path\": \"/tmp/x\"}}", &s, NULL), 0);
	ck_assert_str_eq(s.file.path, "/tmp/x");
	ck_assert_int_ge(s.file.fd, 0);
	int fd = s.file.fd;
	done(&s);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(read_text("{\"file\": {\"fd\": 0}}", &s, NULL), 0);
	ck_assert_str_eq(s.file.path, "descriptor 0");
	done(&s);
	ck_assert_ptr_null(s.file.path);
	ck_assert_int_eq(s.file.fd, -1);
}
END_TEST

START_TEST(a_failed_read_tells_all_and_leaves_what_can_be_released)
{
	struct state s;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(read_text("{\"iface\": \"lo\", \"f\": \"broken\", \"fd\": 4}", &s, &err),
	                 -PT_EPARAM);
	ck_assert_uint_eq(err.count, 2);
	ck_assert_str_eq(err.faults[0].path, "fd");
	ck_assert_ptr_nonnull(strstr(err.faults[0].message, "no descriptor 4"));
	ck_assert_str_eq(err.faults[1].path, "f");
	ck_assert_int_eq(err.faults[1].code, -PT_ESCRIPT);
	pt_error_clear(&err);
	done(&s);
}
END_TEST

START_TEST(a_function_gets_the_file_that_it_reads)
{
	static const char *const bad[] = {"{\"f\": {\"fd\": 0}}", "{\"f\": {\"text\": \"x\"}}",
	                                  "{\"f\": {\"text\": 1, \"fd\": 0}}",
	                                  "{\"f\": {\"text\": \"x\", \"fd\": 0, \"path\": \"p\"}}"};
	struct state s;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(read_text("{\"f\": {\"text\": \"keyed\", \"fd\": 0}}", &s, NULL), 0);
	ck_assert_str_eq(s.f->text, "keyed");
	ck_assert_int_ge(s.f->fd, 0);
	done(&s);
	ck_assert_int_eq(read_text("{\"f\": {\"text\": \"keyed\", \"fd\": 3}}", &s, &err),
	                 -PT_EPARAM);
	ck_assert_str_eq(err.faults[0].path, "f");
	pt_error_clear(&err);
	done(&s);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		json_t *object = json_loads(bad[i], 0, NULL);
		ck_assert_msg(param_check(rows, object, NULL) == -PT_EPARAM, "%s", bad[i]);
		json_decref(object);
	}
}
END_TEST

START_TEST(functions_are_refused_where_nobody_compiles)
{
	struct state s = {0};
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(param_read(rows, NULL, &s, NULL, &err), -PT_EPARAM);
	ck_assert_str_eq(err.faults[0].path, "f");
	pt_error_clear(&err);
	done(&s);
}
END_TEST

START_TEST(release_may_come_twice)
{
	struct state s;
	read_text("{\"fd\": 0}", &s, NULL);
	param_release(rows, &s, &env);
	ck_assert_int_eq(s.fd, -1);
	ck_assert_ptr_null(s.f);
	done(&s);
}
END_TEST

static void expect_default(enum pt_kind kind, const char *fallback, const char *expected)
{
	json_t *value = param_default(&(struct pt_param){.kind = kind, .fallback = fallback});
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	ck_assert_str_eq(text, expected);
	free(text);
	json_decref(value);
}

START_TEST(defaults_are_read_as_users_type_them)
{
	expect_default(PT_KIND_BOOL, "true", "true");
	expect_default(PT_KIND_BOOL, "False", "false");
	expect_default(PT_KIND_INT, "42", "42");
	expect_default(PT_KIND_INT, "None", "null");
	expect_default(PT_KIND_SIZE, "'64MiB'", "\"64MiB\"");
	expect_default(PT_KIND_SIZE, "10k", "\"10k\"");
	expect_default(PT_KIND_STRING, "", "\"\"");
	expect_default(PT_KIND_STRING, "\"\"", "\"\"");
	expect_default(PT_KIND_STRING, "42", "\"42\"");
	expect_default(PT_KIND_STRING, "it's", "\"it's\"");
	expect_default(PT_KIND_LIST, "[]", "[]");
	expect_default(PT_KIND_JSON, NULL, "null");
	ck_assert_ptr_null(param_default(&(struct pt_param){.flags = PT_REQUIRED}));
}
END_TEST

UNIT_TESTS("type/param_read", defaults_are_there, values_go_where_they_belong,
           descriptors_have_names_too, a_file_is_a_path_or_a_descriptor,
           a_failed_read_tells_all_and_leaves_what_can_be_released,
           a_function_gets_the_file_that_it_reads, functions_are_refused_where_nobody_compiles,
           release_may_come_twice, defaults_are_read_as_users_type_them)
