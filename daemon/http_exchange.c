/* SPDX-License-Identifier: BSD-2-Clause */
/* A request's way: a line to the server, its answer, and what is told behind that. */
#include "base/error.h"
#include "base/json.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/http_inside.h"
#include "daemon/metrics.h"
#include "daemon/server.h"
#include "rpc/call.h"
#include "type/param.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_SIZE = 64 * 1024,
	STREAM_SIZE = 32 * 1024,
	BEAT_MS = 15000,
	GONE_MS = 100,    /* what was sent to one that has gone has come back by then */
	STREAMS_MAX = 64, /* half of the connections: the others are for what ends */
};

/* Counts that several wait for, or have still to send. */
struct counts {
	struct http *http; /* NULL: it has ended */
	struct MHD_Response *response;
	unsigned users;
};

/* ---- asleep and awake ---- */

void exchange_sleep(struct exchange *e)
{
	if (e->suspended)
		return;
	e->suspended = true;
	mhd.suspend_connection(e->connection);
}

void exchange_wake(struct exchange *e)
{
	if (!e->suspended)
		return;
	e->suspended = false;
	mhd.resume_connection(e->connection);
	http_turn(e->http);
}

/* ---- life ---- */

static void counts_leave(struct counts *counts)
{
	if (!counts || --counts->users)
		return;
	if (counts->response)
		mhd.destroy_response(counts->response);
	free(counts);
}

struct exchange *exchange_new(struct http *http, struct MHD_Connection *connection)
{
	struct exchange *e = must_calloc(1, sizeof *e);
	e->http = http;
	e->connection = connection;
	e->fd = -1;
	TAILQ_INSERT_TAIL(&http->exchanges, e, entry);
	return e;
}

static void handle_closed(uv_handle_t *handle)
{
	free(handle);
}

static void leave(struct exchange *e)
{
	if (e->poll)
		uv_close((uv_handle_t *)e->poll, handle_closed);
	if (e->client)
		uv_close((uv_handle_t *)e->client, handle_closed);
	if (e->beat)
		uv_close((uv_handle_t *)e->beat, handle_closed);
	if (e->fd >= 0)
		close(e->fd);
	e->poll = e->client = NULL;
	e->beat = NULL;
	e->fd = -1;
}

void exchange_free(struct exchange *e)
{
	leave(e);
	e->http->streams -= e->streams;
	counts_leave(e->counts);
	TAILQ_REMOVE(&e->http->exchanges, e, entry);
	buf_free(&e->in);
	buf_free(&e->out);
	free(e);
}

/* ---- the line ---- */

/* As the row wants it: text is text, all else is JSON if it can be read as such. */
static json_t *value_of(const struct pt_param *row, const char *text)
{
	bool is_text = !row || row->kind == PT_KIND_STRING || row->kind == PT_KIND_PATH ||
	               row->kind == PT_KIND_CHOICE;
	json_t *value = is_text ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
	return value ? value : json_string(text);
}

struct params {
	const struct rpc_method *method;
	json_t *json;
	bool good; /* each is text, and there once */
};

static enum MHD_Result add_param(void *arg, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
	struct params *p = arg;
	const struct pt_param *row = p->method->params ? param_find(p->method->params, key) : NULL;
	bool again = json_object_get(p->json, key);
	p->good &= !json_object_set_new(p->json, key, value_of(row, value ? value : "")) && !again;
	return MHD_YES;
}

/* Once: it may be long until the client takes more, and until then what is there stays. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
	uv_poll_stop(poll);
	exchange_wake(poll->data);
}

/* NULL: it cannot be watched. */
static uv_poll_t *watch(struct exchange *e, int fd)
{
	uv_poll_t *poll = must_calloc(1, sizeof *poll);
	if (uv_poll_init(&e->http->daemon->loop, poll, fd)) {
		free(poll);
		return NULL;
	}
	poll->data = e;
	return poll;
}

/* Asleep until something comes from there. */
static void await(struct exchange *e)
{
	uv_poll_start(e->poll, UV_READABLE, on_readable);
	exchange_sleep(e);
}

static bool send_line(struct exchange *e, const struct params *params, bool looks)
{
	struct buf line = BUF_INIT;
	rpc_write_request(&line, 1, params->method->name, params->json, 0);
	e->fd = server_join(e->http->daemon->server, looks, true);
	bool sent = e->fd >= 0 && (e->poll = watch(e, e->fd)) &&
	            send(e->fd, line.data, line.length, MSG_NOSIGNAL) == (ssize_t)line.length;
	buf_free(&line);
	return sent;
}

/* ---- the answer ---- */

/* What has come, up to a line at least. */
static void take_in(struct exchange *e)
{
	while (!e->over && !(e->in.length && memchr(e->in.data, '\n', e->in.length))) {
		ssize_t count =
			recv(e->fd, buf_reserve(&e->in, READ_SIZE), READ_SIZE, MSG_DONTWAIT);
		if (count > 0)
			e->in.length += (size_t)count;
		else if (!count || (errno != EAGAIN && errno != EINTR))
			e->over = true;
		else if (errno == EAGAIN)
			return;
	}
}

/* The next line, taken out; NULL: it is not there yet. */
static json_t *next_line(struct exchange *e)
{
	const char *end = e->in.length ? memchr(e->in.data, '\n', e->in.length) : NULL;
	if (!end)
		return NULL;
	size_t length = (size_t)(end - e->in.data);
	json_t *line = json_loadb(e->in.data, length, 0, NULL);
	buf_consume(&e->in, length + 1);
	return line ? line : json_object();
}

static unsigned status_of(const json_t *error)
{
	static const struct {
		const char *kind;
		unsigned status;
	} known[] = {
		{"bad-parameter", MHD_HTTP_BAD_REQUEST}, {"invalid-request", MHD_HTTP_BAD_REQUEST},
		{"no-such-engine", MHD_HTTP_NOT_FOUND},  {"no-such-block", MHD_HTTP_NOT_FOUND},
		{"no-such-type", MHD_HTTP_NOT_FOUND},    {"no-such-method", MHD_HTTP_NOT_FOUND},
		{"not-permitted", MHD_HTTP_FORBIDDEN},   {"timeout", MHD_HTTP_GATEWAY_TIMEOUT},
		{"limit", MHD_HTTP_SERVICE_UNAVAILABLE},
	};
	const char *kind = text_of(json_object_get(error, "data"), "kind");
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(kind, known[i].kind))
			return known[i].status;
	return MHD_HTTP_CONFLICT;
}

static enum MHD_Result send_json(struct exchange *e, unsigned status, const json_t *json)
{
	char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17));
	if (!text)
		return http_send_words(e->connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no answer");
	return http_send(
		e->connection, status, "application/json",
		mhd.create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE));
}

/* ---- the request ---- */

static enum MHD_Result refuse_params(struct exchange *e)
{
	struct pt_error err = PT_ERROR_INIT;
	pt_fail(&err, -PT_EPARAM, "$", "each parameter is text in UTF-8, and is given once");
	json_t *json = rpc_error_to_json(&err);
	e->step = ANSWERED;
	enum MHD_Result sent = send_json(e, MHD_HTTP_BAD_REQUEST, json);
	json_decref(json);
	pt_error_clear(&err);
	return sent;
}

enum MHD_Result exchange_ask(struct exchange *e, const struct rpc_method *method, bool looks)
{
	struct params params = {method, json_object(), true};
	bool has_room = !e->streams || e->http->streams < STREAMS_MAX;
	e->streams &= has_room;
	e->http->streams += e->streams;
	mhd.get_connection_values(e->connection, MHD_GET_ARGUMENT_KIND, add_param, &params);
	bool sent = params.good && has_room && send_line(e, &params, looks);
	json_decref(params.json);
	if (!params.good)
		return refuse_params(e);
	if (!sent) {
		leave(e);
		e->step = ANSWERED;
		return http_send_words(e->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
		                       "there are as many connections as there may be");
	}
	e->step = ASKED;
	await(e);
	return MHD_YES;
}

/* ---- what comes behind it: server-sent events ---- */

static void add_event(struct exchange *e, const char *name, const json_t *data)
{
	char *text = json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(17));
	buf_addf(&e->out, "event: %s\ndata: ", name);
	buf_adds(&e->out, text ? text : "{}");
	buf_adds(&e->out, "\n\n");
	free(text);
}

static void add_notification(struct exchange *e, const json_t *line)
{
	const json_t *params = json_object_get(line, "params");
	const char *method = text_of(line, "method");
	const char *name = text_of(params, "name");
	if (*method)
		add_event(e, strcmp(method, "event") || !*name ? method : name, params);
	e->over |= json_is_true(json_object_get(params, "ended"));
}

/* The library asks for more. */
static ssize_t more(void *arg, uint64_t at, char *room, size_t most)
{
	struct exchange *e = arg;
	json_t *line;
	while (!e->out.length) {
		take_in(e);
		if ((line = next_line(e))) {
			add_notification(e, line);
			json_decref(line);
		} else if (e->over || e->http->ending) {
			return MHD_CONTENT_READER_END_OF_STREAM;
		} else {
			await(e);
			return 0;
		}
	}
	size_t count = e->out.length < most ? e->out.length : most;
	memcpy(room, e->out.data, count);
	buf_consume(&e->out, count);
	return (ssize_t)count;
}

/* Who has gone is noticed by what cannot be sent; it is on its way at once when there is a sign. */
static void beat(uv_timer_t *timer)
{
	struct exchange *e = timer->data;
	if (!e->out.length && e->suspended)
		buf_adds(&e->out, ":\n\n");
	exchange_wake(e);
}

/* Or sends no more: one that listens all the same does not mind. */
static void on_hang_up(uv_poll_t *poll, int status, int events)
{
	struct exchange *e = poll->data;
	uv_poll_stop(poll);
	beat(e->beat);
	uv_timer_start(e->beat, beat, GONE_MS, BEAT_MS);
}

static void watch_client(struct exchange *e)
{
	const union MHD_ConnectionInfo *info =
		mhd.get_connection_info(e->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	e->client = info ? watch(e, info->connect_fd) : NULL;
	if (e->client)
		uv_poll_start(e->client, UV_DISCONNECT, on_hang_up);
}

static enum MHD_Result begin_stream(struct exchange *e, const json_t *result)
{
	e->step = ANSWERED;
	e->beat = must_calloc(1, sizeof *e->beat);
	uv_timer_init(&e->http->daemon->loop, e->beat);
	e->beat->data = e;
	uv_timer_start(e->beat, beat, BEAT_MS, BEAT_MS);
	watch_client(e);
	buf_adds(&e->out, ":\n\n");
	if (json_object_get(result, "state"))
		add_event(e, "state", json_object_get(result, "state"));
	return http_send(
		e->connection, MHD_HTTP_OK, "text/event-stream",
		mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_SIZE, more, e, NULL));
}

enum MHD_Result exchange_answer(struct exchange *e)
{
	take_in(e);
	json_t *line = next_line(e);
	enum MHD_Result sent;
	if (!line && !e->over && !e->http->ending) {
		await(e);
		return MHD_YES;
	}
	const json_t *error = json_object_get(line, "error");
	e->step = ANSWERED;
	if (!line)
		sent = http_send_words(e->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
		                       "the daemon is ending");
	else if (error)
		sent = send_json(e, status_of(error), error);
	else if (e->streams)
		sent = begin_stream(e, json_object_get(line, "result"));
	else
		sent = send_json(e, MHD_HTTP_OK, json_object_get(line, "result"));
	json_decref(line);
	return sent;
}

/* ---- counts ---- */

static void gathered(void *arg, struct buf *text)
{
	struct counts *counts = arg;
	struct http *http = counts->http;
	struct exchange *e;
	size_t length = text->length;
	counts->response =
		mhd.create_response_from_buffer(length, buf_steal(text), MHD_RESPMEM_MUST_FREE);
	if (http) {
		http->gathering = NULL;
		TAILQ_FOREACH (e, &http->exchanges, entry)
			if (e->counts == counts)
				exchange_wake(e);
	}
	counts_leave(counts);
}

/* Whoever comes while they are being gathered gets the same. */
enum MHD_Result exchange_counts(struct exchange *e)
{
	struct http *http = e->http;
	if (!http->gathering) {
		struct counts *counts = must_calloc(1, sizeof *counts);
		*counts = (struct counts){.http = http, .users = 1};
		http->gathering = counts;
		metrics_gather(http->daemon, gathered, counts);
	}
	e->counts = http->gathering;
	e->counts->users++;
	e->step = COUNTS;
	return exchange_send_counts(e);
}

enum MHD_Result exchange_send_counts(struct exchange *e)
{
	if (e->http->ending) {
		e->step = ANSWERED;
		return http_send_words(e->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
		                       "the daemon is ending");
	}
	if (!e->counts->response) {
		exchange_sleep(e);
		return MHD_YES;
	}
	e->step = ANSWERED;
	return http_queue(e->connection, MHD_HTTP_OK, METRICS_TYPE, e->counts->response);
}

void exchange_forget_counts(struct http *http)
{
	if (http->gathering)
		http->gathering->http = NULL;
	http->gathering = NULL;
}
