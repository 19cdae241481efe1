/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls methods of a daemon, and hands over what it tells by itself. */
#include <pipetool/client.h>

#include "base/error.h"
#include "base/json.h"
#include "rpc/call.h"
#include "rpc/dial.h"
#include "rpc/wire.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pt_client {
	struct wire wire;
	char *path; /* NULL: it was open already */
	json_int_t last_id;
	bool broken;     /* an answer may be on its way that nobody waits for */
	json_t *waiting; /* notifications, in order */
	size_t handed;   /* so many of them are handed over */
	void (*told)(void *arg, const char *method, json_t *params);
	void *arg;
};

int pt_client_open_fds(int in, int out, struct pt_client **client)
{
	struct pt_client *c = must_calloc(1, sizeof *c);
	wire_init(&c->wire, in, out);
	c->waiting = json_array();
	*client = c;
	return 0;
}

int pt_client_open(const char *path, struct pt_client **client, struct pt_error *err)
{
	char *chosen = path ? must_strdup(path) : pt_client_default_path();
	int fd = dial(chosen, err);
	if (fd < 0) {
		free(chosen);
		return fd;
	}
	pt_client_open_fds(fd, fd, client);
	(*client)->path = chosen;
	return 0;
}

void pt_client_close(struct pt_client *c)
{
	if (!c)
		return;
	wire_fini(&c->wire);
	json_decref(c->waiting);
	free(c->path);
	free(c);
}

int pt_client_fd(const struct pt_client *c)
{
	return c->wire.in;
}

const char *pt_client_rest(const struct pt_client *c, size_t *length)
{
	*length = frame_left(&c->wire.frame);
	return *length ? c->wire.frame.buffer.data + c->wire.frame.given : "";
}

void pt_client_on_notification(struct pt_client *c,
                               void (*told)(void *arg, const char *method, json_t *params),
                               void *arg)
{
	c->told = told;
	c->arg = arg;
}

/* A line as an object: kept if it is a notification and somebody listens, else *answer. */
static int take_line(struct pt_client *c, const char *line, size_t length, json_t **answer)
{
	json_t *object = json_loadb(line, length, 0, NULL);
	if (!json_is_object(object)) {
		json_decref(object);
		return -EPROTO;
	}
	*answer = NULL;
	if (!json_is_string(json_object_get(object, "method")))
		*answer = object;
	else if (c->told)
		json_array_append_new(c->waiting, object);
	else
		json_decref(object);
	return 0;
}

/* Takes the lines that have come already; answers among them nobody waits for. */
static void take_lines(struct pt_client *c)
{
	const char *line;
	size_t length;
	json_t *answer;
	while (frame_next(&c->wire.frame, false, &line, &length) == FRAME_LINE)
		if (!take_line(c, line, length, &answer))
			json_decref(answer);
}

static void tell(struct pt_client *c, json_t *notification)
{
	json_t *params = json_incref(json_object_get(notification, "params"));
	if (!params)
		params = json_object();
	if (c->told)
		c->told(c->arg, json_string_value(json_object_get(notification, "method")), params);
	json_decref(params);
}

/* Hands over what is waiting; who is told may call methods, and so come back to here. */
static bool hand_over(struct pt_client *c)
{
	bool any = false;
	if (c->told)
		take_lines(c);
	while (c->handed < json_array_size(c->waiting)) {
		json_t *notification = json_incref(json_array_get(c->waiting, c->handed++));
		tell(c, notification);
		json_decref(notification);
		any = true;
	}
	json_array_clear(c->waiting);
	c->handed = 0;
	return any;
}

/* An error without id is for a request that could not be read: for ours, as there is no other. */
static bool is_for(const json_t *answer, json_int_t id)
{
	const json_t *answered = json_object_get(answer, "id");
	if (json_is_integer(answered))
		return json_integer_value(answered) == id;
	return (!answered || json_is_null(answered)) && json_object_get(answer, "error");
}

static int receive_answer(struct pt_client *c, json_int_t id, int64_t deadline, json_t **answer)
{
	for (;;) {
		const char *line;
		size_t length;
		json_t *object;
		int code = wire_receive(&c->wire, deadline, false, &line, &length);
		if (!code)
			code = take_line(c, line, length, &object);
		if (code)
			return code;
		if (object && is_for(object, id)) {
			*answer = object;
			return 0;
		}
		json_decref(object);
	}
}

/* -ECONNRESET: the daemon went away before it had read the request. */
static int exchange(struct pt_client *c, const struct buf *line, const int *fds, int fd_count,
                    int64_t deadline, json_t **answer)
{
	int sent = wire_send(&c->wire, line->data, line->length, fds, fd_count, deadline);
	if (sent && sent != -EPIPE)
		return sent;
	int code = receive_answer(c, c->last_id, deadline, answer);
	return code == -EPIPE && (sent || c->wire.unread) ? -ECONNRESET : code;
}

static int redial(struct pt_client *c, struct pt_error *err)
{
	int fd = dial(c->path, err);
	if (fd < 0)
		return fd;
	wire_fini(&c->wire);
	wire_init(&c->wire, fd, fd);
	return 0;
}

static int failed(int code, const char *method, const json_t *params, double timeout_s,
                  struct pt_error *err)
{
	const char *engine = text_of(params, "engine");
	switch (-code) {
	case ETIMEDOUT:
		pt_fail(err, -PT_ETIMEOUT, NULL, "no answer to %s%s%s%s within %g s", method,
		        *engine ? " of '" : "", engine, *engine ? "'" : "", timeout_s);
		pt_hint(err, "it may still be carried out; --timeout waits longer");
		return -PT_ETIMEOUT;
	case EPIPE: return pt_fail(err, code, NULL, "the daemon has closed the connection");
	case ECONNRESET:
		return pt_fail(err, -EPIPE, NULL,
		               "the daemon has closed the connection before it read the request");
	case EPROTO: return pt_fail(err, code, NULL, "what answers is not a pipetoold");
	case EMSGSIZE:
		return pt_fail(err, code, NULL, "the answer to %s has more than a gigabyte",
		               method);
	default:
		return pt_fail(err, code, NULL, "the connection to the daemon failed: %s",
		               error_words(code));
	}
}

static int check_call(const struct pt_client *c, int fd_count, struct pt_error *err)
{
	if (c->broken)
		return pt_fail(err, -EPIPE, NULL,
		               "the connection is of no use any more; open another");
	if (fd_count < 0 || fd_count > FRAME_FDS_MAX)
		return pt_fail(err, -PT_EPARAM, NULL, "at most %d descriptors go with a request",
		               FRAME_FDS_MAX);
	if (fd_count && !c->wire.is_local)
		return pt_fail(err, -PT_EPARAM, NULL,
		               "descriptors can be handed over to a daemon on this machine only");
	return 0;
}

/* The result, or the faults of an error. */
static int open_answer(const json_t *answer, json_t **result, struct pt_error *err)
{
	const json_t *error = json_object_get(answer, "error");
	json_t *value = json_object_get(answer, "result");
	if (!error && !value)
		return failed(-EPROTO, "", NULL, 0, err);
	if (error) {
		rpc_error_from_json(error, err);
		return err->faults[0].code;
	}
	if (result)
		*result = json_incref(value);
	return 0;
}

int pt_client_call(struct pt_client *c, const char *method, const json_t *params, const int *fds,
                   int fd_count, double timeout_s, json_t **result, struct pt_error *err)
{
	struct pt_error faults = PT_ERROR_INIT;
	struct buf line = BUF_INIT;
	json_t *answer;
	int code = check_call(c, fd_count, &faults);
	if (!code) {
		int64_t deadline = wire_deadline(timeout_s);
		rpc_write_request(&line, ++c->last_id, method, params, fd_count);
		code = exchange(c, &line, fds, fd_count, deadline, &answer);
		if (code == -ECONNRESET && c->last_id == 1 && c->path && !redial(c, NULL))
			code = exchange(c, &line, fds, fd_count, deadline, &answer);
		if (code) {
			c->broken = true;
			code = failed(code, method, params, timeout_s, &faults);
		} else {
			code = open_answer(answer, result, &faults);
			json_decref(answer);
		}
		hand_over(c);
	}
	buf_free(&line);
	error_move(err, &faults);
	return code;
}

int pt_client_wait(struct pt_client *c, double timeout_s)
{
	int64_t deadline = wire_deadline(timeout_s);
	if (hand_over(c))
		return 1;
	for (;;) {
		const char *line;
		size_t length;
		json_t *answer;
		int code = wire_receive(&c->wire, deadline, true, &line, &length);
		if (!code)
			code = take_line(c, line, length, &answer);
		if (code == -ETIMEDOUT || code == -EINTR)
			return 0;
		if (code)
			return code;
		bool notified = !answer;
		json_decref(answer);
		if (notified) {
			hand_over(c);
			return 1;
		}
	}
}
