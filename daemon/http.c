/* SPDX-License-Identifier: BSD-2-Clause */
/* The library, driven by the control loop, and where each address leads. */
#include "daemon/http.h"

#include "base/error.h"
#include "base/log.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/http_inside.h"
#include "net/address.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes that a connection's headers may take, how many connections, and how long each may be silent
   where it is not we who are. */
enum { HEADERS_MAX = 32 * 1024, CONNECTIONS_MAX = 128, SILENT_S = 30 };

static const char page_html[] =
#include "page.html.inc"
	;
static const char page_css[] =
#include "page.css.inc"
	;
static const char page_js[] =
#include "page.js.inc"
	;
static const char layout_js[] =
#include "layout.js.inc"
	;
static const char icon_svg[] =
#include "icon.svg.inc"
	;

static const struct file {
	const char *path, *type, *text;
	size_t length;
} files[] = {
	{"/", "text/html; charset=utf-8", page_html, sizeof page_html - 1},
	{"/page.css", "text/css; charset=utf-8", page_css, sizeof page_css - 1},
	{"/page.js", "text/javascript; charset=utf-8", page_js, sizeof page_js - 1},
	{"/layout.js", "text/javascript; charset=utf-8", layout_js, sizeof layout_js - 1},
	{"/icon.svg", "image/svg+xml", icon_svg, sizeof icon_svg - 1},
	{"/favicon.ico", "image/svg+xml", icon_svg, sizeof icon_svg - 1},
};

/* ---- responses ---- */

static void add_headers(struct MHD_Response *response, const char *type)
{
	static const char *const headers[][2] = {
		{"Content-Security-Policy", "default-src 'self'"},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Cache-Control", "no-store"},
	};
	if (mhd.get_response_header(response, "Content-Type"))
		return;
	mhd.add_response_header(response, "Content-Type", type);
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		mhd.add_response_header(response, headers[i][0], headers[i][1]);
}

enum MHD_Result http_queue(struct MHD_Connection *connection, unsigned status, const char *type,
                           struct MHD_Response *response)
{
	add_headers(response, type);
	return mhd.queue_response(connection, status, response);
}

enum MHD_Result http_send(struct MHD_Connection *connection, unsigned status, const char *type,
                          struct MHD_Response *response)
{
	if (!response)
		return MHD_NO;
	enum MHD_Result sent = http_queue(connection, status, type, response);
	mhd.destroy_response(response);
	return sent;
}

enum MHD_Result http_send_words(struct MHD_Connection *connection, unsigned status,
                                const char *words)
{
	char *text = must_printf("%s\n", words);
	struct MHD_Response *response =
		mhd.create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		mhd.add_response_header(response, "Allow", "GET, HEAD");
	return http_send(connection, status, "text/plain; charset=utf-8", response);
}

/* ---- where addresses lead ---- */

static enum MHD_Result send_file(struct MHD_Connection *connection, const struct file *file)
{
	return http_send(connection, MHD_HTTP_OK, file->type,
	                 mhd.create_response_from_buffer(file->length,
	                                                 (char *)(uintptr_t)file->text,
	                                                 MHD_RESPMEM_PERSISTENT));
}

/* What tells, and changes nothing. Events are told elsewhere. */
static bool is_for_viewers(const struct rpc_method *method)
{
	return !strcmp(method->role, "viewer") && strcmp(method->name, "events.subscribe") != 0;
}

/* What carries messages. */
static enum MHD_Result show_messages(struct exchange *e, const char *method)
{
	const struct http *http = e->http;
	if (!http->socket.path && !http->daemon->conf.http_taps)
		return http_send_words(e->connection, MHD_HTTP_FORBIDDEN,
		                       "messages are shown on a Unix socket, or with taps = yes "
		                       "in the section [http] of the daemon's configuration");
	if (mhd.lookup_connection_value(e->connection, MHD_GET_ARGUMENT_KIND, "format"))
		return http_send_words(e->connection, MHD_HTTP_BAD_REQUEST,
		                       "messages are server-sent events here: without format");
	e->streams = true;
	return exchange_ask(e, rpc_find(method_tables, method), false);
}

static enum MHD_Result ask(struct exchange *e, const char *name)
{
	const struct rpc_method *method = rpc_find(method_tables, name);
	if (method && is_for_viewers(method))
		return exchange_ask(e, method, true);
	return !strcmp(name, "block.tap")
	               ? show_messages(e, name)
	               : http_send_words(e->connection, MHD_HTTP_NOT_FOUND,
	                                 "there is no such method of viewers that changes nothing");
}

static enum MHD_Result route(struct exchange *e, const char *path)
{
	static const char api[] = "/api/";
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (!strcmp(path, files[i].path))
			return send_file(e->connection, &files[i]);
	if (!strcmp(path, "/metrics"))
		return exchange_counts(e);
	if (!strcmp(path, "/layout"))
		return exchange_layout(e);
	if (!strcmp(path, "/trace"))
		return show_messages(e, "block.trace");
	e->streams = !strcmp(path, "/events");
	if (e->streams)
		return exchange_ask(e, rpc_find(method_tables, "events.subscribe"), true);
	if (!strncmp(path, api, sizeof api - 1))
		return ask(e, path + sizeof api - 1);
	return http_send_words(e->connection, MHD_HTTP_NOT_FOUND, "there is nothing here");
}

static bool looks(const char *method)
{
	return !strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD);
}

static enum MHD_Result begin(struct exchange *e, const char *path, const char *method)
{
	const char *why;
	unsigned status = http_gate(e->connection, e->http->daemon->conf.http_hosts, &why);
	e->step = ANSWERED;
	if (status)
		return http_send_words(e->connection, status, why);
	if (!looks(method))
		return http_send_words(e->connection, MHD_HTTP_METHOD_NOT_ALLOWED,
		                       "here is only to be looked");
	return route(e, path);
}

/* Called when the headers are there, and again behind them, and whenever it has slept. What would
   change something is refused before its body comes. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_length, void **state)
{
	struct exchange *e = *state;
	if (!e) {
		*state = e = exchange_new(arg, connection);
		return looks(method) ? MHD_YES : begin(e, path, method);
	}
	if (*body_length) { /* nobody wants it */
		*body_length = 0;
		return MHD_YES;
	}
	switch (e->step) {
	case NEW: return begin(e, path, method);
	case ASKED: return exchange_answer(e);
	case COUNTS: return exchange_send_counts(e);
	case LAYOUT: return exchange_layout(e);
	case ANSWERED: break;
	}
	return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how)
{
	if (*state)
		exchange_free(*state);
	*state = NULL;
}

/* ---- the loop ---- */

static void on_timer(uv_timer_t *timer);

static void turn(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;
	mhd.run(http->mhd);
	if (mhd.get_timeout(http->mhd, &wait_ms) == MHD_YES)
		uv_timer_start(&http->timer, on_timer, wait_ms, 0);
	else
		uv_timer_stop(&http->timer);
}

static void on_timer(uv_timer_t *timer)
{
	turn(timer->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	turn(poll->data);
}

void http_turn(struct http *http)
{
	if (!http->ending)
		uv_timer_start(&http->timer, on_timer, 0, 0);
}

/* ---- life ---- */

static void on_log(void *arg, const char *format, va_list values)
{
	char text[256];
	vsnprintf(text, sizeof text, format, values);
	text[strcspn(text, "\n")] = '\0';
	log_debug("http: %s", text);
}

static int listen_on(struct http *http, const struct conf *conf, struct pt_error *err)
{
	http->socket = (struct control_socket){.fd = -1};
	if (*conf->http_listen == '/')
		return socket_open(conf->http_listen, true, &http->socket, err);
	return http_listen(conf->http_listen, conf->http_public, &http->socket.fd, err);
}

static int start(struct http *http, struct pt_error *err)
{
	http->mhd = mhd.start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, http->socket.fd, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, http, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENT_S, MHD_OPTION_END);
	const union MHD_DaemonInfo *info =
		http->mhd ? mhd.get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	uv_loop_t *loop = &http->daemon->loop;
	if (!info || uv_poll_init(loop, &http->poll, info->epoll_fd))
		return pt_fail(err, -PT_ELIMIT, NULL, "[http]: the server cannot be started");
	uv_timer_init(loop, &http->timer);
	http->poll.data = http->timer.data = http;
	http->handles = 2;
	uv_poll_start(&http->poll, UV_READABLE, on_ready);
	return 0;
}

static void tell(const struct http *http)
{
	char text[ADDRESS_TEXT];
	if (http->socket.path)
		log_info("it serves http on %s", http->socket.path);
	else if (address_of(http->socket.fd, false, text))
		log_info("it serves http on %s", text);
}

static int serve(struct daemon *d, struct pt_error *err)
{
	struct http *http = must_calloc(1, sizeof *http);
	http->daemon = d;
	http->socket.fd = -1;
	TAILQ_INIT(&http->exchanges);
	TAILQ_INIT(&http->layouts);
	int code = http_library_load(err);
	if (!code)
		code = listen_on(http, &d->conf, err);
	if (!code)
		code = start(http, err);
	if (code) {
		if (http->mhd) /* closes the socket, too */
			mhd.stop_daemon(http->mhd);
		http->socket.fd = http->mhd ? -1 : http->socket.fd;
		socket_close(&http->socket);
		free(http);
		return code;
	}
	tell(http);
	d->http = http;
	return 0;
}

int http_open(struct daemon *d)
{
	struct pt_error err = PT_ERROR_INIT;
	int code = d->conf.http_listen ? serve(d, &err) : 0;
	for (size_t i = 0; i < err.count; i++)
		log_error("%s%s%s", err.faults[i].message, err.faults[i].hint ? "; " : "",
		          err.faults[i].hint ? err.faults[i].hint : "");
	pt_error_clear(&err);
	return code == -PT_EPARAM ? code : 0;
}

static void handle_closed(uv_handle_t *handle)
{
	struct http *http = handle->data;
	if (!--http->handles)
		free(http);
}

/* The library wants nobody asleep when it ends; it closes the socket, too. */
void http_free(struct http *http)
{
	struct exchange *e;
	if (!http)
		return;
	http->ending = true;
	exchange_forget_counts(http);
	http_forget_layouts(http);
	TAILQ_FOREACH (e, &http->exchanges, entry)
		exchange_wake(e);
	uv_poll_stop(&http->poll);
	mhd.run(http->mhd);
	mhd.stop_daemon(http->mhd);
	http->socket.fd = -1;
	if (http->socket.path)
		socket_close(&http->socket);
	uv_close((uv_handle_t *)&http->poll, handle_closed);
	uv_close((uv_handle_t *)&http->timer, handle_closed);
}
