/* SPDX-License-Identifier: BSD-2-Clause */
/* Three pipes and a pidfd. */
#include "net/process.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/program.h"
#include "base/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES 400
#define LINES_A_SECOND 10
#define READ_BYTES     4096
#define PIPE_BYTES     (64 * 1024)
#define WIDE_PIPE      (256 * 1024) /* so that neither side waits for the other at each turn */
#define SECOND_NS      UINT64_C(1000000000)
#define GRACE_NS       SECOND_NS /* to end by itself, and once more when it was asked to */

void process_init(struct process *c, struct pt_block *b, void (*ended)(struct pt_block *))
{
	c->block = b;
	c->ended = ended;
	c->in = c->out = c->pidfd = c->errors = c->exit_slot = c->error_slot = -1;
}

/* ---- its beginning ---- */

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int make_pipes(int *fds, struct pt_error *err)
{
	for (int i = 0; i < 3; i++)
		if (pipe2(&fds[2 * i], O_CLOEXEC)) {
			int error = errno;
			close_all(fds, 6);
			return pt_fail(err, -error, NULL, "no pipe: %s", error_words(error));
		}
	for (int i = 0; i < 2; i++) /* where there may be no more, it stays as it is */
		fcntl(fds[2 * i], F_SETPIPE_SZ, WIDE_PIPE);
	return 0;
}

int process_open(struct process *c, char *const *argv, const char *path, struct pt_error *err)
{
	int fds[6] = {-1, -1, -1, -1, -1, -1};
	int rc = make_pipes(fds, err);
	if (rc)
		return rc;
	const struct program_ends ends = {
		.in = fds[0], .out = fds[3], .err = fds[5], .more = -1, .detached = true};
	rc = program_start(argv, &ends, path, &c->pid, err);
	close_all((const int[]){fds[0], fds[3], fds[5]}, 3);
	if (rc) {
		close_all((const int[]){fds[1], fds[2], fds[4]}, 3);
		c->pid = 0;
		return rc;
	}
	c->in = fds[1];
	c->out = fds[2];
	c->errors = fds[4];
	fcntl(c->errors, F_SETFL, O_NONBLOCK);
	c->exited = false;
	c->status = 0;
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pidfd >= 0)
		return 0;
	rc = pt_fail(err, -errno, path, "'%s' was started, but its end would not be noticed: %s",
	             argv[0], error_words(errno));
	process_kill(c);
	close_all((const int[]){c->in, c->out, c->errors}, 3);
	c->in = c->out = c->errors = -1;
	return rc;
}

/* ---- its standard error ---- */

/* Some a second; the others are in `show` alone. */
static void keep_line(struct process *c)
{
	char *line = must_printf("%.*s", LINE_MAX_BYTES, c->line.data ? c->line.data : "");
	buf_clear(&c->line);
	if (!*line || utf8_valid(line, strlen(line)) < strlen(line)) {
		free(line);
		return;
	}
	if (c->line_count == PROCESS_LINES) {
		free(c->lines[0]);
		memmove(c->lines, c->lines + 1, (PROCESS_LINES - 1) * sizeof *c->lines);
		c->line_count--;
	}
	c->lines[c->line_count++] = line;
	uint64_t now = clock_ns();
	if (now - c->told_ns > SECOND_NS) {
		c->told_ns = now;
		c->told = 0;
	}
	if (c->told++ < LINES_A_SECOND)
		pt_note(c->block, "%s", line);
}

/* False: nothing more for now. */
static bool read_errors(struct process *c)
{
	char bytes[READ_BYTES];
	ssize_t n = read(c->errors, bytes, sizeof bytes);
	for (ssize_t i = 0; i < n; i++)
		if (bytes[i] == '\n')
			keep_line(c);
		else if (c->line.length < LINE_MAX_BYTES && bytes[i])
			buf_addc(&c->line, bytes[i]);
	if (n == 0 && c->line.length)
		keep_line(c);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		uv_poll_stop(&c->error_poll);
	return n > 0;
}

static void on_errors(uv_poll_t *poll, int status, int events)
{
	read_errors((struct process *)((char *)poll - offsetof(struct process, error_poll)));
}

static const char *process_last_line(const struct process *c)
{
	return c->line_count ? c->lines[c->line_count - 1] : NULL;
}

static json_t *all_lines(const struct process *c)
{
	json_t *lines = json_array();
	for (unsigned i = 0; i < c->line_count; i++)
		json_array_append_new(lines, json_string(c->lines[i]));
	return lines;
}

json_t *process_describe(const struct process *c)
{
	json_t *now = json_object();
	if (c->pid)
		json_object_set_new(now, "pid", json_integer(c->pid));
	if (c->line_count)
		json_object_set_new(now, "stderr", all_lines(c));
	return now;
}

char *process_last_words(const struct process *c, const char *program)
{
	const char *line = process_last_line(c);
	char *fate = program_fate(c->status);
	char *words = must_printf("'%s' %s%s%s", program, fate ? fate : "ended",
	                          line && fate ? ": " : "", line && fate ? line : "");
	free(fate);
	return words;
}

/* ---- its end ---- */

static void on_exit_of(uv_poll_t *poll, int status, int events)
{
	struct process *c = (struct process *)((char *)poll - offsetof(struct process, exit_poll));
	siginfo_t info = {.si_pid = 0};
	uv_poll_stop(poll);
	if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
		return;
	for (int i = 0; i < PIPE_BYTES / READ_BYTES && read_errors(c); i++) /* children may go on */
		;
	if (c->line.length)
		keep_line(c);
	c->exited = true;
	c->status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
	c->ended(c->block);
}

/* A handle knows its descriptor by the number: every later one takes that. */
static void watch(struct process *c, uv_poll_t *poll, int *fd, int *slot, uv_poll_cb then)
{
	if (*fd < 0)
		return;
	if (*slot >= 0) {
		dup3(*fd, *slot, O_CLOEXEC);
		close(*fd);
	} else {
		*slot = *fd;
		uv_poll_init(pt_loop(c->block), poll, *slot);
		pt_adopt(c->block, (uv_handle_t *)poll);
	}
	*fd = *slot;
	uv_poll_start(poll, UV_READABLE, then);
}

void process_start(struct process *c)
{
	watch(c, &c->exit_poll, &c->pidfd, &c->exit_slot, on_exit_of);
	watch(c, &c->error_poll, &c->errors, &c->error_slot, on_errors);
}

void process_kill(struct process *c)
{
	if (!c->pid)
		return;
	kill(-c->pid, SIGKILL);
	program_reap(c->pid);
	c->pid = 0;
}

/* Whether it ends before the time is up; what it prints meanwhile is read. */
static bool ends_within(const struct process *c, int out, uint64_t grace_ns)
{
	uint64_t until = clock_ns() + grace_ns;
	char bytes[4096];
	struct pollfd fds[] = {{c->pidfd, POLLIN, 0}, {out, POLLIN, 0}, {c->errors, POLLIN, 0}};
	while (!(fds[0].revents & POLLIN) && clock_ns() < until) {
		if (poll(fds, 3, (int)((until - clock_ns()) / 1000000 + 1)) < 0 && errno != EINTR)
			return false;
		for (int i = 1; i < 3; i++)
			if (fds[i].revents && read(fds[i].fd, bytes, sizeof bytes) <= 0)
				fds[i].fd = -1;
	}
	return fds[0].revents & POLLIN;
}

void process_close(struct process *c, int out)
{
	if (c->pid && !c->exited && c->pidfd >= 0 && !ends_within(c, out, GRACE_NS)) {
		kill(-c->pid, SIGTERM);
		ends_within(c, out, GRACE_NS);
	}
	process_kill(c);
	close_all((const int[]){c->in, c->out, c->pidfd, c->errors}, 4);
	c->in = c->out = c->pidfd = c->errors = c->exit_slot = c->error_slot = -1;
}

void process_take_over(struct process *c, struct process *old)
{
	c->pid = old->pid;
	c->pidfd = old->pidfd;
	c->errors = old->errors;
	c->status = old->status;
	c->exited = old->exited;
	old->pid = 0;
	old->pidfd = old->errors = old->exit_slot = old->error_slot = -1;
}

void process_fini(struct process *c)
{
	buf_free(&c->line);
	for (unsigned i = 0; i < c->line_count; i++)
		free(c->lines[i]);
}
