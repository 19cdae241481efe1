/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the blocks of the page's pictures stand, as Graphviz would have it. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "base/json.h"
#include "base/program.h"
#include "daemon/daemon.h"
#include "daemon/engine.h"
#include "daemon/http_inside.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* The boxes are as large as page.js draws them, in points of 1/72 inch. */
#define BOX "width=2.194, height=0.917" /* 158 by 66 */

enum {
	BLOCKS_MAX = 300, /* more take long, and fill a screen */
	LINKS_MAX = 1000,
	PATIENCE_MS = 2000,
	ANSWER_MAX = 1 << 20,  /* of dot */
	KEPT_MAX = 4 << 20,    /* of all graphs and answers */
	KEPT_COUNT_MAX = 1000, /* of those, also without one */
	NONE_MS = 60000,       /* then it is tried again: the machine may have been busy */
	READ_SIZE = 16 * 1024
};

/* A graph, and what dot has made of it: nothing, where it is not there or took too long. */
struct layout {
	struct work work; /* first */
	struct pt_letter letter;
	TAILQ_ENTRY(layout) entry; /* of those that are known */
	struct http *http;         /* NULL: it has ended meanwhile */
	struct daemon *daemon;
	int ended; /* while dot runs: readable when it has; -1: nothing tells */
	char *graph;
	struct buf made;
	long made_ms;
};

/* ---- the graph, for dot ---- */

static void write_link(struct buf *b, const json_t *link, bool down)
{
	const char *canal = text_of(link, "canal");
	bool decides = strcmp(canal, "trigger") != 0; /* those lead back as well as forth */
	buf_addf(b, "\"%s\" -> \"%s\" [id=%s", text_of(link, "from"), text_of(link, "to"), canal);
	if (decides)
		buf_adds(b, down ? ", tailport=s, headport=n" : ", tailport=e, headport=w");
	buf_adds(b, decides ? "];\n" : ", constraint=false];\n");
}

/* Names and numbers alone: what is the same graph is the same text. */
static char *write_graph(const struct revision *revision, bool down)
{
	struct buf b = BUF_INIT;
	buf_addf(&b,
	         "digraph {\ngraph [rankdir=%s, nodesep=0.31, ranksep=%s];\n"
	         "node [shape=box, fixedsize=true, label=\"\", " BOX "];\n"
	         "edge [arrowhead=none];\n",
	         down ? "TB" : "LR", down ? "0.62" : "0.78");
	json_each (block, revision->blocks)
		buf_addf(&b, "\"%s\";\n", text_of(block, "name"));
	json_each (link, revision->links)
		write_link(&b, link, down);
	buf_adds(&b, "}\n");
	return buf_steal(&b);
}

/* ---- dot, on a worker's thread ---- */

/* A file in memory, to be read. */
static int paper(const char *text)
{
	int fd = memfd_create("graph", MFD_CLOEXEC);
	if (fd >= 0 && (io_write(fd, text, strlen(text)) || lseek(fd, 0, SEEK_SET))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Up to the end, if that comes in time, and while somebody wants it. */
static bool read_in_time(int fd, int ended, struct buf *b)
{
	long until_ms = clock_ms() + PATIENCE_MS;
	while (b->length < ANSWER_MAX) {
		struct pollfd wait[] = {{fd, POLLIN, 0}, {ended, POLLIN, 0}};
		long left_ms = until_ms - clock_ms();
		if (left_ms <= 0)
			return false;
		if (poll(wait, 2, (int)left_ms) <= 0)
			continue;
		if (wait[1].revents)
			return false;
		ssize_t count = read(fd, buf_reserve(b, READ_SIZE), READ_SIZE);
		if (count <= 0)
			return !count && b->length && *b->data == '{';
		b->length += (size_t)count;
	}
	return false;
}

/* What has closed its output, or is late, has nothing more to say, nor has what it has started. */
static bool run_dot(int in, int nowhere, int ended, struct buf *made)
{
	static char dot[] = "dot", json[] = "-Tjson0";
	char *const argv[] = {dot, json, NULL};
	int pipe_fds[2];
	pid_t pid;
	if (in < 0 || nowhere < 0 || pipe2(pipe_fds, O_CLOEXEC))
		return false;
	const struct program_ends ends = {
		.in = in, .out = pipe_fds[1], .more = -1, .err = nowhere, .detached = true};
	int code = program_start(argv, &ends, NULL, &pid, NULL);
	close(pipe_fds[1]);
	bool whole = false;
	if (!code) {
		whole = read_in_time(pipe_fds[0], ended, made);
		kill(-pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(pipe_fds[0]);
	return whole;
}

/* [worker] */
static void lay_out(struct work *work)
{
	struct layout *l = (struct layout *)work;
	int in = paper(l->graph), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (!run_dot(in, nowhere, l->ended, &l->made))
		buf_free(&l->made);
	if (in >= 0)
		close(in);
	if (nowhere >= 0)
		close(nowhere);
	mailbox_post(&l->daemon->mailbox, &l->letter);
}

/* ---- those that are known ---- */

static size_t size_of(const struct layout *l)
{
	return strlen(l->graph) + l->made.length;
}

static void layout_free(struct layout *l)
{
	free(l->graph);
	buf_free(&l->made);
	free(l);
}

static void forget(struct http *http, struct layout *l)
{
	TAILQ_REMOVE(&http->layouts, l, entry);
	http->layouts_bytes -= size_of(l);
	http->layouts_count--;
	layout_free(l);
}

void http_forget_layouts(struct http *http)
{
	if (http->laying_out) {
		http->laying_out->http = NULL;
		eventfd_write(http->laying_out->ended, 1);
	}
	http->laying_out = NULL;
	while (!TAILQ_EMPTY(&http->layouts))
		forget(http, TAILQ_FIRST(&http->layouts));
}

static struct layout *find(struct http *http, const char *graph)
{
	struct layout *l;
	TAILQ_FOREACH (l, &http->layouts, entry) {
		if (strcmp(l->graph, graph) != 0)
			continue;
		if (l->made.length || clock_ms() - l->made_ms < NONE_MS)
			return l;
		forget(http, l);
		break;
	}
	return NULL;
}

static void laid_out(struct pt_letter *letter)
{
	struct layout *l = (struct layout *)((char *)letter - offsetof(struct layout, letter));
	struct http *http = l->http;
	struct exchange *e;
	l->daemon->loads--;
	if (l->ended >= 0)
		close(l->ended);
	if (!http) {
		layout_free(l);
		return;
	}
	http->laying_out = NULL;
	l->made_ms = clock_ms();
	TAILQ_INSERT_HEAD(&http->layouts, l, entry);
	http->layouts_bytes += size_of(l);
	http->layouts_count++;
	while (http->layouts_bytes > KEPT_MAX || http->layouts_count > KEPT_COUNT_MAX)
		forget(http, TAILQ_LAST(&http->layouts, layouts));
	TAILQ_FOREACH (e, &http->exchanges, entry)
		if (e->step == LAYOUT)
			exchange_wake(e);
}

/* Takes the graph. */
static void begin(struct http *http, char *graph)
{
	struct layout *l = must_calloc(1, sizeof *l);
	l->work = (struct work){.run = lay_out, .must = true};
	l->letter.read = laid_out;
	l->http = http;
	l->daemon = http->daemon;
	l->ended = eventfd(0, EFD_CLOEXEC);
	l->graph = graph;
	http->laying_out = l;
	http->daemon->loads++;
	workers_add(&l->work);
}

/* ---- who asks ---- */

static const char *argument(const struct exchange *e, const char *name)
{
	const char *value = mhd.lookup_connection_value(e->connection, MHD_GET_ARGUMENT_KIND, name);
	return value ? value : "";
}

/* NULL: there is none that dot should be asked about. */
static const struct revision *revision_of(const struct exchange *e)
{
	const struct engine *engine = engines_at(e->http->daemon->engines, argument(e, "engine"));
	const struct revision *last = engine ? history_last(&engine->past.history) : NULL;
	bool is_meant = last && strtoull(argument(e, "revision"), NULL, 10) == last->number;
	bool is_small = last && json_array_size(last->blocks) <= BLOCKS_MAX &&
	                json_array_size(last->links) <= LINKS_MAX;
	return is_meant && is_small ? last : NULL;
}

static enum MHD_Result send_layout(struct exchange *e, const struct buf *made)
{
	e->step = ANSWERED;
	if (!made || !made->length)
		return http_send(e->connection, MHD_HTTP_NO_CONTENT, "application/json",
		                 mhd.create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
	return http_send(
		e->connection, MHD_HTTP_OK, "application/json",
		mhd.create_response_from_buffer(made->length, made->data, MHD_RESPMEM_MUST_COPY));
}

/* One at a time: who waits for another looks again when that is done. */
enum MHD_Result exchange_layout(struct exchange *e)
{
	struct http *http = e->http;
	const struct revision *revision = http->ending ? NULL : revision_of(e);
	if (!revision)
		return send_layout(e, NULL);
	char *graph = write_graph(revision, !strcmp(argument(e, "down"), "true"));
	const struct layout *known = find(http, graph);
	e->step = LAYOUT;
	if (!known && !http->laying_out)
		begin(http, must_strdup(graph));
	free(graph);
	if (known)
		return send_layout(e, &known->made);
	exchange_sleep(e);
	return MHD_YES;
}
