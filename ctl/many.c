/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes of this ptctl, and what they print, put together. */
#include "ctl/many.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "ctl/joined.h"
#include "ctl/out.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_SIZE 65536
#define LINE_MOST ((size_t)1024 * 1024) /* what goes on is printed as a line of its own */

/* WAY is closed when the daemon is reached, GONE tells when the process has ended: ssh may leave
   one behind that keeps its outputs open (ControlPersist). */
enum { WAY, IN, OUT, ERR, PIPES, GONE = PIPES, FDS };

struct peer {
	const struct host *host;
	pid_t pid;
	int fds[FDS]; /* -1: closed */
	struct buf text[PIPES];
	size_t given; /* of the input */
	uint64_t begun_ns;
	bool given_up;
	struct joined_host joined;
};

struct many {
	struct ctl *ctl;
	int (*run)(struct ctl *);
	struct peer *peers; /* of each host, in order */
	size_t count, begun, ended;
	unsigned jobs;
	bool reads; /* the verb may read standard input */
	bool input_ended;
	struct buf input;
	struct joined joined; /* what a tap writes */
	int status;
};

static bool reads_input(const struct ctl *ctl)
{
	const char *file = ctl_text(ctl, "file");
	return (file && !strcmp(file, "-")) || ctl->verb->run == verb_run ||
	       (ctl->verb->run == verb_send && !ctl_many(ctl, "message"));
}

static bool is_stream(const struct ctl *ctl)
{
	return ctl->verb->streams || ctl_flag(ctl, "follow") || ctl_flag(ctl, "watch");
}

static bool is_written(const struct ctl *ctl)
{
	return ctl_text(ctl, "write");
}

/* What comes is for who reads standard output, and for nobody else. */
static bool is_for_reader(const struct many *m)
{
	const char *path = m->joined.path;
	return is_stream(m->ctl) && (!path || !strcmp(path, "-"));
}

int many_check(const struct ctl *ctl, const struct hosts *hosts, struct pt_error *err)
{
	const char *one = ctl->fd_count                                   ? "--fd"
	                  : ctl->verb->one_host                           ? ctl->verb->name
	                  : is_written(ctl) && ctl->verb->run != verb_tap ? "-w"
	                  : ctl_text(ctl, "output")                       ? "-o"
	                                                                  : NULL;
	return one ? pt_fail(err, -PT_EREQUEST, "host", "'%s' takes one host, and -H names %zu",
	                     one, hosts->count)
	           : 0;
}

/* ---- a host's process ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* This one's and the earlier ones': else an input would have further writers, and never end. */
static void close_ours(struct many *m)
{
	for (size_t i = 0; i <= m->begun; i++)
		for (int fd = 0; fd < FDS; fd++)
			close_fd(&m->peers[i].fds[fd]);
}

static void narrow(const char *name)
{
	size_t columns = out_columns(), prefix = strlen(name) + 2;
	char *text = must_printf("%zu", columns > prefix ? columns - prefix : 0);
	setenv("COLUMNS", text, 1);
	free(text);
}

static _Noreturn void be_peer(struct many *m, const struct host *host, int theirs[PIPES],
                              pid_t parent)
{
	struct ctl *ctl = m->ctl;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_INTERRUPTED);
	close_ours(m);
	narrow(host->name);
	for (int fd = IN; fd < PIPES; fd++) {
		dup2(theirs[fd], fd - IN);
		close(theirs[fd]);
	}
	out_set_host(host->name);
	if (m->joined.path) /* to be joined */
		json_object_set_new(ctl->values, "write", json_string("-"));
	ctl->way = theirs[WAY];
	ctl->host = host->target;
	ctl->socket = host->socket ? host->socket : ctl->socket;
	exit(m->run(ctl));
}

static int open_pipes(int ours[PIPES], int theirs[PIPES])
{
	for (int fd = 0; fd < PIPES; fd++)
		ours[fd] = theirs[fd] = -1;
	for (int fd = 0; fd < PIPES; fd++) {
		int ends[2];
		if (pipe2(ends, O_CLOEXEC))
			return -errno;
		bool to_us = fd != IN;
		ours[fd] = ends[!to_us];
		theirs[fd] = ends[to_us];
		fcntl(ours[fd], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

static int begin(struct many *m, struct peer *p)
{
	int theirs[PIPES];
	pid_t parent = getpid();
	p->fds[GONE] = -1;
	int rc = open_pipes(p->fds, theirs);
	p->begun_ns = clock_ns();
	fflush(stdout);
	p->pid = rc ? -1 : fork();
	if (!p->pid)
		be_peer(m, p->host, theirs, parent);
	if (!rc && p->pid < 0)
		rc = -errno;
	for (int fd = 0; fd < PIPES; fd++)
		close_fd(&theirs[fd]);
	if (!rc)
		p->fds[GONE] = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (!rc && p->fds[GONE] < 0) {
		rc = -errno;
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
		p->pid = 0;
	}
	return rc;
}

/* ---- what it prints ---- */

/* Documents name their host themselves. */
static void print(const struct many *m, const struct peer *p, int which, const char *text,
                  size_t length)
{
	struct buf line = BUF_INIT;
	if (which == ERR || !m->ctl->json)
		buf_addf(&line, "%s: ", p->host->name);
	buf_add(&line, text, length);
	buf_addc(&line, '\n');
	if (which == OUT)
		out_buf(&line);
	else
		fwrite(line.data, 1, line.length, stderr);
	buf_free(&line);
}

/* Where it cannot be written, the others end, too. */
static void join(struct many *m, struct peer *p)
{
	struct pt_error err = PT_ERROR_INIT;
	int code = joined_take(&m->joined, &p->joined, p->host->name, &p->text[OUT], &err);
	if (!code)
		return;
	if (code == -EPIPE)
		_exit(EXIT_DONE);
	out_set_host(p->host->name);
	fprintf(stderr, "%s: ", p->host->name);
	_exit(ctl_refused(m->ctl, &err));
}

static void print_lines(struct many *m, struct peer *p, int which, bool all)
{
	if (which == OUT && m->joined.path) {
		join(m, p);
		return;
	}
	struct buf *text = &p->text[which];
	size_t done = 0;
	for (const char *end; done < text->length; done += (size_t)(end - text->data) - done + 1) {
		end = memchr(text->data + done, '\n', text->length - done);
		if (!end && !all && text->length - done < LINE_MOST)
			break;
		if (!end)
			end = text->data + text->length;
		print(m, p, which, text->data + done, (size_t)(end - text->data) - done);
	}
	buf_consume(text, done < text->length ? done : text->length);
}

static void tell(const struct many *m, const struct peer *p, int status, const char *words)
{
	struct pt_error err = PT_ERROR_INIT;
	int code = status == EXIT_TIMEOUT ? -PT_ETIMEOUT : -ECONNREFUSED;
	pt_fail(&err, code, NULL, "%s", words);
	out_set_host(p->host->name);
	fprintf(stderr, "%s: ", p->host->name);
	ctl_refused(m->ctl, &err);
	out_set_host(NULL);
}

static void raise_status(struct many *m, int status)
{
	m->status = status > m->status ? status : m->status;
}

/* ---- its input and its end ---- */

static void give(struct many *m, struct peer *p)
{
	size_t left = m->input.length - p->given;
	ssize_t n = left ? write(p->fds[IN], m->input.data + p->given, left) : 0;
	if (n > 0)
		p->given += (size_t)n;
	bool gone = n < 0 && errno != EAGAIN && errno != EINTR;
	if (gone || (m->input_ended && p->given == m->input.length))
		close_fd(&p->fds[IN]);
}

static void take_input(struct many *m)
{
	ssize_t n = read(STDIN_FILENO, buf_reserve(&m->input, READ_SIZE), READ_SIZE);
	if (n > 0)
		m->input.length += (size_t)n;
	m->input_ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Whether there may be more at once. */
static bool take(struct many *m, struct peer *p, int which)
{
	struct buf *text = &p->text[which];
	ssize_t n = read(p->fds[which], buf_reserve(text, READ_SIZE), READ_SIZE);
	if (n > 0)
		text->length += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_fd(&p->fds[which]);
	if (which != WAY && is_stream(m->ctl))
		print_lines(m, p, which, p->fds[which] < 0);
	return n > 0;
}

static void end(struct many *m, struct peer *p)
{
	int status = 0;
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	for (int which = OUT; which <= ERR; which++) {
		while (p->fds[which] >= 0 && take(m, p, which))
			;
		print_lines(m, p, which, true);
	}
	for (int fd = 0; fd < FDS; fd++)
		close_fd(&p->fds[fd]);
	for (int fd = 0; fd < PIPES; fd++)
		buf_free(&p->text[fd]);
	joined_host_fini(&p->joined);
	if (WIFSIGNALED(status) && !p->given_up)
		tell(m, p, EXIT_NO_DAEMON, "what works for this host was ended by a signal");
	raise_status(m, WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_NO_DAEMON);
	p->pid = 0;
	m->ended++;
}

/* ---- all of them ---- */

static int64_t way_left_ms(const struct many *m, const struct peer *p)
{
	double patience_s = m->ctl->timeout_s;
	double left_s = patience_s - (double)(clock_ns() - p->begun_ns) / 1e9;
	return p->fds[WAY] < 0 ? INT32_MAX : left_s > 0 ? (int64_t)(left_s * 1000) + 1 : 0;
}

/* Who has not reached its daemon in time. */
static void give_up(struct many *m, struct peer *p)
{
	char *words =
		must_printf("'%s' does not answer within %g s", p->host->name, m->ctl->timeout_s);
	tell(m, p, EXIT_TIMEOUT, words);
	free(words);
	raise_status(m, EXIT_TIMEOUT);
	close_fd(&p->fds[WAY]);
	p->given_up = true;
	kill(p->pid, SIGKILL);
}

static void begin_more(struct many *m)
{
	while (m->begun < m->count && m->begun - m->ended < m->jobs) {
		struct peer *p = &m->peers[m->begun];
		int rc = begin(m, p);
		m->begun++;
		if (!rc)
			continue;
		tell(m, p, EXIT_NO_DAEMON, error_words(rc));
		for (int fd = 0; fd < FDS; fd++)
			close_fd(&p->fds[fd]);
		raise_status(m, EXIT_NO_DAEMON);
		m->ended++;
	}
}

static bool wants(const struct many *m, const struct peer *p, int which)
{
	return which != IN || p->given < m->input.length || m->input_ended;
}

/* Waits for something to do, and does it. */
static void turn(struct many *m, struct pollfd *polled)
{
	size_t n = 0;
	int64_t wait_ms = INT32_MAX;
	for (size_t i = 0; i < m->begun; i++) {
		struct peer *p = &m->peers[i];
		for (int which = 0; p->pid > 0 && which < FDS; which++)
			polled[n++] = (struct pollfd){wants(m, p, which) ? p->fds[which] : -1,
			                              which == IN ? POLLOUT : POLLIN, 0};
		int64_t left_ms = p->pid > 0 ? way_left_ms(m, p) : INT32_MAX;
		wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
	}
	polled[n] = (struct pollfd){m->reads && !m->input_ended ? STDIN_FILENO : -1, POLLIN, 0};
	polled[n + 1] = (struct pollfd){is_for_reader(m) ? STDOUT_FILENO : -1, 0, 0};
	if (poll(polled, n + 2, wait_ms == INT32_MAX ? -1 : (int)wait_ms) < 0)
		return;
	if (polled[n + 1].revents) /* nobody reads any more: all of it ends with this process */
		_exit(EXIT_DONE);
	if (polled[n].revents)
		take_input(m);
	n = 0;
	for (size_t i = 0; i < m->begun; i++) {
		struct peer *p = &m->peers[i];
		if (p->pid <= 0)
			continue;
		bool gone = polled[n + GONE].revents;
		for (int which = 0; which < PIPES; which++)
			if (polled[n + (size_t)which].revents && which == IN)
				give(m, p);
			else if (polled[n + (size_t)which].revents)
				take(m, p, which);
		n += FDS;
		if (gone)
			end(m, p);
		else if (!way_left_ms(m, p))
			give_up(m, p);
	}
}

int many_run(struct ctl *ctl, const struct hosts *hosts, unsigned jobs, int (*run)(struct ctl *))
{
	struct many m = {.ctl = ctl, .run = run, .count = hosts->count, .jobs = jobs};
	struct pt_error err = PT_ERROR_INIT;
	if (joined_init(&m.joined, ctl_text(ctl, "write"), &err))
		return ctl_refused(ctl, &err);
	m.reads = reads_input(ctl);
	m.input_ended = !m.reads;
	m.peers = must_calloc(m.count, sizeof *m.peers);
	struct pollfd *polled = must_calloc(m.count * FDS + 2, sizeof *polled);
	for (size_t i = 0; i < m.count; i++)
		m.peers[i].host = &hosts->all[i];
	begin_more(&m);
	while (m.ended < m.count) {
		turn(&m, polled);
		begin_more(&m);
	}
	if (joined_end(&m.joined, &err))
		raise_status(&m, ctl_refused(ctl, &err));
	buf_free(&m.input);
	free(polled);
	free(m.peers);
	return m.status;
}
