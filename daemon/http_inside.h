/* SPDX-License-Identifier: BSD-2-Clause */
/* What http.c, http_gate.c, http_exchange.c and http_layout.c share. */
#ifndef DAEMON_HTTP_INSIDE_H
#define DAEMON_HTTP_INSIDE_H

#include "base/buf.h"
#include "daemon/socket.h"
#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

struct counts;
struct layout;
struct rpc_method;

/* libmicrohttpd is loaded where something listens: most daemons never do. */
#define HTTP_FUNCTIONS(X)                \
	X(add_response_header)           \
	X(create_response_from_buffer)   \
	X(create_response_from_callback) \
	X(destroy_response)              \
	X(get_connection_info)           \
	X(get_connection_values)         \
	X(get_daemon_info)               \
	X(get_response_header)           \
	X(get_timeout)                   \
	X(lookup_connection_value)       \
	X(queue_response)                \
	X(resume_connection)             \
	X(run)                           \
	X(start_daemon)                  \
	X(stop_daemon)                   \
	X(suspend_connection)
struct http_library {
#define HTTP_FUNCTION(name) __typeof__(MHD_##name) *name;
	HTTP_FUNCTIONS(HTTP_FUNCTION)
#undef HTTP_FUNCTION
};
extern struct http_library mhd;
int http_library_load(struct pt_error *);

struct http {
	struct daemon *daemon;
	struct MHD_Daemon *mhd;
	struct control_socket socket; /* path: NULL: it is TCP's */
	uv_poll_t poll;               /* of the library's own */
	uv_timer_t timer;             /* when the library wants to be called without that */
	unsigned handles;             /* that are still to be closed */
	TAILQ_HEAD(, exchange) exchanges;
	struct counts *gathering;            /* NULL: none are */
	struct layout *laying_out;           /* NULL: none is being made */
	TAILQ_HEAD(layouts, layout) layouts; /* those that are known, the newest first */
	size_t layouts_bytes, layouts_count;
	unsigned streams; /* exchanges that are such */
	bool ending;
};

/* A request, from its headers until its answer is sent, or its client gone. */
struct exchange {
	TAILQ_ENTRY(exchange) entry;
	struct http *http;
	struct MHD_Connection *connection;
	enum { NEW, ASKED, COUNTS, LAYOUT, ANSWERED } step;
	bool suspended;
	bool streams; /* notifications follow the answer */
	int fd;       /* its connection to the server; -1: it has none */
	uv_poll_t *poll;
	bool over;      /* nothing more comes from there */
	struct buf in;  /* what has come */
	struct buf out; /* of a stream: what is not yet sent */
	uv_timer_t *beat;
	uv_poll_t *client;     /* of a stream: tells that it may have gone */
	struct counts *counts; /* what it waits for; NULL: nothing of the kind */
};

/* ---- http_gate.c: whether it is answered at all ---- */
/* 0, or the status; *why are words for a person. */
unsigned http_gate(struct MHD_Connection *, char *const *hosts, const char **why);
/* "127.0.0.1:8739", "[::1]:8739", or refused. */
int http_listen(const char *listen, bool public, int *fd, struct pt_error *);

/* ---- http_exchange.c ---- */
struct exchange *exchange_new(struct http *, struct MHD_Connection *);
void exchange_free(struct exchange *);
/* Asks for a method, as one who may look or, else, do all; its arguments are the address's. */
enum MHD_Result exchange_ask(struct exchange *, const struct rpc_method *, bool looks);
enum MHD_Result exchange_answer(struct exchange *); /* with what has come of that */
enum MHD_Result exchange_counts(struct exchange *);
enum MHD_Result exchange_send_counts(struct exchange *);
void exchange_forget_counts(struct http *); /* nobody waits for those that are gathered */
void exchange_sleep(struct exchange *);     /* until it is woken */
void exchange_wake(struct exchange *);

/* ---- http_layout.c ---- */
/* Where the engine's blocks stand and which way its links go, as dot tells it in JSON: each graph
   is laid out once, on a worker's thread, one at a time. Nothing (204) where there is no dot, it
   takes long, or the engine is at another revision: the page has its own way then. */
enum MHD_Result exchange_layout(struct exchange *);
void http_forget_layouts(struct http *);

/* ---- http.c ---- */
/* With what goes with every response. */
enum MHD_Result http_queue(struct MHD_Connection *, unsigned status, const char *type,
                           struct MHD_Response *);
/* The same, of a response that goes once. */
enum MHD_Result http_send(struct MHD_Connection *, unsigned status, const char *type,
                          struct MHD_Response *);
enum MHD_Result http_send_words(struct MHD_Connection *, unsigned status, const char *words);
void http_turn(struct http *); /* soon, the library has something to do */

#endif
