/* SPDX-License-Identifier: BSD-2-Clause */
/* The client against a daemon that a thread plays, line by line. */
#include <pipetool/client.h>

#include "base/buf.h"
#include "unit.h"
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What the daemon does for each request that it reads; "" for one: nothing. */
struct part {
	const char *first;          /* said before anything is heard, or NULL */
	const char *const *answers; /* ends with NULL */
	size_t piece;               /* bytes written at once; 0: all */
	bool close;                 /* after the last */
	int fd;
	int passed[4]; /* descriptors that came */
	size_t passed_count;
	struct buf heard;
};

static void keep_passed(struct part *p, struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(p->passed + p->passed_count, CMSG_DATA(c), count * sizeof(int));
		p->passed_count += count;
	}
}

static bool hear_line(struct part *p)
{
	char byte, control[CMSG_SPACE(4 * sizeof(int))];
	do {
		struct iovec vector = {&byte, 1};
		struct msghdr message = {.msg_iov = &vector,
		                         .msg_iovlen = 1,
		                         .msg_control = control,
		                         .msg_controllen = sizeof control};
		if (recvmsg(p->fd, &message, 0) <= 0)
			return false;
		keep_passed(p, &message);
		buf_addc(&p->heard, byte);
	} while (byte != '\n');
	return true;
}

static void say(struct part *p, const char *text)
{
	size_t length = strlen(text), piece = p->piece ? p->piece : length;
	for (size_t at = 0; at < length; at += piece) {
		size_t part = length - at < piece ? length - at : piece;
		for (ssize_t n; part; part -= (size_t)n, text += n)
			if ((n = send(p->fd, text, part, MSG_NOSIGNAL)) <= 0)
				return;
	}
}

static void *play(void *arg)
{
	struct part *p = arg;
	if (p->first)
		say(p, p->first);
	for (const char *const *answer = p->answers; *answer && hear_line(p); answer++)
		say(p, *answer);
	if (p->close) {
		close(p->fd);
		p->fd = -1;
	}
	return NULL;
}

struct scene {
	struct part part;
	pthread_t thread;
	bool over;
	struct pt_client *client;
	struct pt_error err;
	struct buf told;
};

static void write_down(void *arg, const char *method, json_t *params)
{
	struct scene *s = arg;
	char *text = json_dumps(params, JSON_COMPACT);
	buf_addf(&s->told, "%s%s ", method, text);
	free(text);
}

static void begin(struct scene *s, const struct part *part)
{
	int fds[2];
	*s = (struct scene){.part = *part};
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	s->part.fd = fds[1];
	ck_assert_int_eq(pt_client_open_fds(fds[0], fds[0], &s->client), 0);
	pt_client_on_notification(s->client, write_down, s);
	ck_assert_int_eq(pthread_create(&s->thread, NULL, play, &s->part), 0);
}

/* The daemon has played its part. */
static void wait_for_daemon(struct scene *s)
{
	pthread_join(s->thread, NULL);
	s->over = true;
}

static void end(struct scene *s)
{
	pt_client_close(s->client);
	if (!s->over)
		wait_for_daemon(s);
	if (s->part.fd >= 0)
		close(s->part.fd);
	for (size_t i = 0; i < s->part.passed_count; i++)
		close(s->part.passed[i]);
	pt_error_clear(&s->err);
	buf_free(&s->told);
	buf_free(&s->part.heard);
}

static int call(struct scene *s, double timeout_s, json_t **result)
{
	return pt_client_call(s->client, "daemon.info", NULL, NULL, 0, timeout_s, result, &s->err);
}

static void expect_result(struct scene *s, const char *want)
{
	json_t *result = NULL;
	int code = call(s, 30, &result);
	ck_assert_msg(!code, "%s", pt_error_text(&s->err, ""));
	char *text = json_dumps(result, JSON_ENCODE_ANY | JSON_COMPACT);
	ck_assert_str_eq(text, want);
	free(text);
	json_decref(result);
}

#define ANSWER(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}\n"
#define TOLD(method)       "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":{\"n\":1}}\n"

START_TEST(calls_are_answered_in_order)
{
	static const char *const answers[] = {ANSWER("1", "{\"a\":1}"), ANSWER("2", "[2]"), NULL};
	struct scene s;
	begin(&s, &(struct part){.answers = answers});
	expect_result(&s, "{\"a\":1}");
	expect_result(&s, "[2]");
	wait_for_daemon(&s);
	ck_assert_str_eq(s.part.heard.data,
	                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.info\"}\n"
	                 "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"daemon.info\"}\n");
	end(&s);
}
END_TEST

START_TEST(answers_may_dribble_in)
{
	static const char *const answers[] = {ANSWER("1", "{\"text\":\"é\"}"), NULL};
	struct scene s;
	begin(&s, &(struct part){.answers = answers, .piece = 1});
	expect_result(&s, "{\"text\":\"é\"}");
	end(&s);
}
END_TEST

START_TEST(notifications_between_are_handed_over)
{
	static const char *const answers[] = {TOLD("before") ANSWER("1", "{}") TOLD("after"),
	                                      TOLD("again") ANSWER("2", "{}"), NULL};
	struct scene s;
	begin(&s, &(struct part){.answers = answers});
	expect_result(&s, "{}");
	ck_assert(!strncmp(s.told.data, "before{\"n\":1} ", 14));
	expect_result(&s, "{}");
	ck_assert_str_eq(s.told.data, "before{\"n\":1} after{\"n\":1} again{\"n\":1} ");
	end(&s);
}
END_TEST

START_TEST(notifications_nobody_asked_for_are_thrown_away)
{
	static const char *const answers[] = {TOLD("x") ANSWER("1", "{}"), NULL};
	struct scene s;
	begin(&s, &(struct part){.answers = answers});
	pt_client_on_notification(s.client, NULL, NULL);
	expect_result(&s, "{}");
	ck_assert_uint_eq(s.told.length, 0);
	end(&s);
}
END_TEST

START_TEST(waiting_ends_with_a_notification_the_time_or_the_daemon)
{
	static const char *const answers[] = {ANSWER("1", "{}"), TOLD("x") TOLD("y"), NULL};
	struct scene s;
	begin(&s, &(struct part){.answers = answers, .close = true});
	expect_result(&s, "{}");
	ck_assert_int_eq(pt_client_wait(s.client, 0), 0);
	ck_assert_int_eq(write(pt_client_fd(s.client), "\n", 1), 1);
	while (s.told.length < strlen("x{\"n\":1} y{\"n\":1} "))
		ck_assert_int_eq(pt_client_wait(s.client, 30), 1);
	ck_assert_str_eq(s.told.data, "x{\"n\":1} y{\"n\":1} ");
	ck_assert_int_eq(pt_client_wait(s.client, -1), -EPIPE);
	end(&s);
}
END_TEST

START_TEST(a_refusal_is_told_with_all_its_faults)
{
	static const char *const answers[] = {
		"{\"id\":1,\"error\":{\"code\":2,\"message\":\"no block 'x'\",\"data\":{\"kind\":"
		"\"no-such-block\",\"path\":\"$.block\",\"hint\":\"y\"}}}\n",
		"{\"id\":null,\"error\":{\"code\":-32600,\"message\":\"too "
		"long\",\"data\":{\"kind\":"
		"\"invalid-request\"}}}\n",
		NULL};
	struct scene s;
	begin(&s, &(struct part){.answers = answers});
	ck_assert_int_eq(call(&s, 30, NULL), -PT_ENOBLOCK);
	ck_assert_str_eq(s.err.faults[0].message, "no block 'x'");
	ck_assert_str_eq(s.err.faults[0].path, "$.block");
	ck_assert_str_eq(s.err.faults[0].hint, "y");
	ck_assert_int_eq(call(&s, 30, NULL), -PT_EREQUEST);
	end(&s);
}
END_TEST

START_TEST(no_answer_in_time_ends_the_connection)
{
	static const char *const answers[] = {"", NULL};
	struct scene s;
	begin(&s, &(struct part){.answers = answers});
	ck_assert_int_eq(call(&s, 0.02, NULL), -PT_ETIMEOUT);
	ck_assert_int_eq(call(&s, 30, NULL), -EPIPE);
	end(&s);
}
END_TEST

START_TEST(a_daemon_that_goes_away_is_noticed)
{
	static const char *const nothing[] = {"", NULL};
	static const char *const half[] = {"{\"id\":1,\"resu", NULL};
	static const char *const garbage[] = {"HTTP/1.1 400 Bad Request\r\n", NULL};
	static const struct {
		const char *const *answers;
		int code;
	} cases[] = {{nothing, -EPIPE}, {half, -EPROTO}, {garbage, -EPROTO}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct scene s;
		begin(&s, &(struct part){.answers = cases[i].answers, .close = true});
		ck_assert_int_eq(call(&s, 30, NULL), cases[i].code);
		ck_assert_uint_eq(s.err.count, 1);
		end(&s);
	}
}
END_TEST

START_TEST(long_answers_are_taken)
{
	struct buf answer = BUF_INIT;
	struct scene s;
	json_t *result;
	buf_adds(&answer, "{\"id\":1,\"result\":\"");
	for (int i = 0; i < 300000; i++)
		buf_adds(&answer, "0123456789");
	buf_adds(&answer, "\"}\n");
	const char *const answers[] = {answer.data, NULL};
	begin(&s, &(struct part){.answers = answers});
	ck_assert_int_eq(call(&s, 30, &result), 0);
	ck_assert_uint_eq(json_string_length(result), 3000000);
	json_decref(result);
	end(&s);
	buf_free(&answer);
}
END_TEST

START_TEST(long_requests_go_out_while_the_daemon_speaks)
{
	static const char *const answers[] = {ANSWER("1", "{}"), NULL};
	static char big[500001];
	struct buf noise = BUF_INIT;
	struct scene s;
	for (int i = 0; i < 40000; i++)
		buf_adds(&noise, TOLD("noise"));
	memset(big, 'x', sizeof big - 1);
	json_t *params = json_pack("{ss}", "big", big);
	begin(&s, &(struct part){.first = noise.data, .answers = answers});
	ck_assert_int_eq(pt_client_call(s.client, "x", params, NULL, 0, 60, NULL, &s.err), 0);
	wait_for_daemon(&s);
	ck_assert_uint_gt(s.part.heard.length, 500000);
	ck_assert_uint_eq(s.told.length, 40000 * strlen("noise{\"n\":1} "));
	end(&s);
	json_decref(params);
	buf_free(&noise);
}
END_TEST

START_TEST(descriptors_go_with_the_request)
{
	static const char *const answers[] = {ANSWER("1", "{}"), NULL};
	struct scene s;
	struct stat sent, came;
	int fds[2];
	ck_assert_int_eq(pipe(fds), 0);
	begin(&s, &(struct part){.answers = answers});
	ck_assert_int_eq(pt_client_call(s.client, "x", NULL, fds, 2, 30, NULL, &s.err), 0);
	wait_for_daemon(&s);
	ck_assert_uint_eq(s.part.passed_count, 2);
	ck_assert_ptr_nonnull(strstr(s.part.heard.data, "\"fds\":2"));
	fstat(fds[0], &sent);
	fstat(s.part.passed[0], &came);
	ck_assert_uint_eq(sent.st_ino, came.st_ino);
	close(fds[0]);
	close(fds[1]);
	end(&s);
}
END_TEST

START_TEST(a_pair_of_pipes_does_too)
{
	int to[2], from[2];
	struct pt_client *client;
	struct pt_error err = PT_ERROR_INIT;
	const char *answer = ANSWER("1", "{}");
	ck_assert_int_eq(pipe(to), 0);
	ck_assert_int_eq(pipe(from), 0);
	ck_assert_int_eq(pt_client_open_fds(from[0], to[1], &client), 0);
	ck_assert_int_eq(pt_client_call(client, "x", NULL, to, 1, 30, NULL, &err), -PT_EPARAM);
	ck_assert_int_eq(write(from[1], answer, strlen(answer)), (ssize_t)strlen(answer));
	ck_assert_int_eq(pt_client_call(client, "x", NULL, NULL, 0, 30, NULL, &err), 0);
	close(to[0]); /* SIGPIPE would end this program */
	close(from[1]);
	ck_assert_int_eq(pt_client_call(client, "x", NULL, NULL, 0, 30, NULL, &err), -EPIPE);
	pt_client_close(client);
	pt_error_clear(&err);
}
END_TEST

/* ---- connecting ---- */

static char folder[] = "/tmp/pipetool-client-XXXXXX";

static char *socket_path(void)
{
	return must_printf("%s/control.sock", folder);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	return fd;
}

static void expect_no_way(const char *path, int code, const char *words)
{
	struct pt_client *client;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(pt_client_open(path, &client, &err), code);
	ck_assert_msg(strstr(err.faults[0].message, words), "%s", err.faults[0].message);
	pt_error_clear(&err);
}

START_TEST(who_does_not_listen_is_named)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	char *path = socket_path();
	expect_no_way(path, -ENOENT, "no daemon listens on /tmp/pipetool-client-");
	close(listen_at(path));
	expect_no_way(path, -ECONNREFUSED, "any more");
	unlink(path);
	rmdir(folder);
	free(path);
	expect_no_way("/", -ECONNREFUSED, "/ is no socket");
	expect_no_way("", -ENOENT, "empty");
	char many[300];
	memset(many, 'x', sizeof many - 1);
	many[sizeof many - 1] = 0;
	expect_no_way(many, -ENAMETOOLONG, "too long");
}
END_TEST

START_TEST(a_full_door_is_not_waited_at_for_ever)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	char *path = socket_path();
	struct pt_client *first = NULL, *second = NULL;
	int fd = listen_at(path);
	ck_assert_int_eq(pt_client_open(path, &first, NULL), 0);
	expect_no_way(path, -PT_ETIMEOUT, "lets nobody in");
	close(accept(fd, NULL, NULL));
	ck_assert_int_eq(pt_client_open(path, &second, NULL), 0);
	pt_client_close(first);
	pt_client_close(second);
	pt_client_close(NULL);
	close(fd);
	unlink(path);
	rmdir(folder);
	free(path);
}
END_TEST

/* Daemons that end one after the other, and a last one that answers. */
struct heirs {
	int fd;
	bool first_reads;
	unsigned served;
};

static void *succeed(void *arg)
{
	struct heirs *h = arg;
	struct part last = {.answers = (const char *const[]){
				    "{\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": {}}\n", NULL}};
	char byte;
	int fd = accept(h->fd, NULL, NULL);
	struct pollfd p = {fd, POLLIN, 0};
	while (poll(&p, 1, -1) < 0)
		;
	while (h->first_reads && recv(fd, &byte, 1, 0) == 1 && byte != '\n')
		;
	h->served++;
	close(fd);
	if (h->first_reads)
		return NULL;
	last.fd = accept(h->fd, NULL, NULL);
	h->served++;
	play(&last);
	buf_free(&last.heard);
	close(last.fd);
	return NULL;
}

static int call_heirs(bool first_reads, unsigned *served, struct pt_error *err)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	char *path = socket_path();
	struct heirs heirs = {listen_at(path), first_reads, 0};
	struct pt_client *client;
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, succeed, &heirs), 0);
	ck_assert_int_eq(pt_client_open(path, &client, NULL), 0);
	int code = pt_client_call(client, "daemon.info", NULL, NULL, 0, 30, NULL, err);
	pthread_join(thread, NULL);
	pt_client_close(client);
	close(heirs.fd);
	unlink(path);
	rmdir(folder);
	free(path);
	*served = heirs.served;
	return code;
}

START_TEST(what_was_not_read_goes_to_the_next_daemon)
{
	unsigned served;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(call_heirs(false, &served, NULL), 0);
	ck_assert_uint_eq(served, 2);
	ck_assert_int_eq(call_heirs(true, &served, &err), -EPIPE);
	ck_assert_uint_eq(served, 1);
	ck_assert_str_eq(err.faults[0].message, "the daemon has closed the connection");
	pt_error_clear(&err);
}
END_TEST

START_TEST(the_environment_names_the_socket)
{
	setenv("PIPETOOL_SOCKET", "/somewhere", 1);
	char *path = pt_client_default_path();
	ck_assert_str_eq(path, "/somewhere");
	free(path);
	setenv("PIPETOOL_SOCKET", "", 1);
	setenv("XDG_RUNTIME_DIR", "/run/user/12345", 1);
	path = pt_client_default_path();
	ck_assert_msg(!strcmp(path, "/run/user/12345/pipetool/control.sock") ||
	                      !strcmp(path, "/run/pipetool/control.sock"),
	              "%s", path);
	free(path);
}
END_TEST

UNIT_TESTS("rpc/client", calls_are_answered_in_order, answers_may_dribble_in,
           notifications_between_are_handed_over, notifications_nobody_asked_for_are_thrown_away,
           waiting_ends_with_a_notification_the_time_or_the_daemon,
           a_refusal_is_told_with_all_its_faults, no_answer_in_time_ends_the_connection,
           a_daemon_that_goes_away_is_noticed, long_answers_are_taken,
           long_requests_go_out_while_the_daemon_speaks, descriptors_go_with_the_request,
           a_pair_of_pipes_does_too, who_does_not_listen_is_named,
           what_was_not_read_goes_to_the_next_daemon, a_full_door_is_not_waited_at_for_ever,
           the_environment_names_the_socket)
