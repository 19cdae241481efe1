/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl wireshark. */
#include "base/error.h"
#include "base/program.h"
#include "ctl/tapped.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct viewer {
	const char *program;
	pid_t pid;
	int pidfd, in; /* in: -1 once it is closed */
	struct tapped stream;
	size_t whole; /* of the stream's bytes may be written */
};

static int check_display(const char *program, struct pt_error *err)
{
	if (!program_is(program, "wireshark") || program_has_display())
		return 0;
	pt_fail(err, -PT_ESTATE, NULL,
	        "there is no display here: $DISPLAY and $WAYLAND_DISPLAY are not set");
	pt_hint(err, "log in with ssh -X, or 'ptctl tap ENGINE.BLOCK -w FILE' writes a capture");
	return -PT_ESTATE;
}

/* [borrowed] the words behind "--". */
static const char **words_of(const json_t *list)
{
	size_t i;
	json_t *word;
	const char **words = must_calloc(json_array_size(list) + 1, sizeof *words);
	json_array_foreach (list, i, word)
		words[i] = json_string_value(word);
	return words;
}

static int run(struct viewer *v, const json_t *args, struct pt_error *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return pt_fail(err, -errno, NULL, "no pipe: %s", error_words(errno));
	const char **words = words_of(args);
	char **argv = program_viewer(v->program, words);
	const struct program_ends places = {.in = ends[0], .out = STDOUT_FILENO, .more = -1};
	int code = program_start(argv, &places, NULL, &v->pid, err);
	close(ends[0]);
	v->in = ends[1];
	fcntl(v->in, F_SETFL, O_NONBLOCK);
	if (!code)
		v->pidfd = (int)syscall(SYS_pidfd_open, v->pid, 0);
	free(words);
	texts_free(argv);
	return code;
}

static void shut(struct viewer *v)
{
	if (v->in >= 0)
		close(v->in);
	v->in = -1;
}

/* Writes whole blocks as far as the viewer takes them. */
static int feed(struct viewer *v, struct pt_error *err)
{
	int64_t any = -1;
	struct tapped *s = &v->stream;
	int code = v->whole ? 0 : tapped_whole(s, &any, &v->whole, err);
	if (code || !v->whole) {
		if (s->ended)
			shut(v);
		return code;
	}
	ssize_t n = write(v->in, s->bytes.data, v->whole);
	if (n > 0) {
		buf_consume(&s->bytes, (size_t)n);
		v->whole -= (size_t)n;
	} else if (errno != EAGAIN && errno != EINTR) {
		shut(v); /* it has closed its side: its end comes, too */
	}
	return 0;
}

/* Until the viewer has ended. While it does not read, nothing is read from the daemon, either. */
static int serve(struct viewer *v, struct pt_error *err)
{
	int code = feed(v, err);
	while (!code && !tapped_interrupted()) {
		bool reads = v->in >= 0 && !v->whole && !v->stream.ended;
		struct pollfd fds[] = {{v->pidfd, POLLIN, 0},
		                       {reads ? tapped_fd(&v->stream) : -1, POLLIN, 0},
		                       {v->in, v->whole ? POLLOUT : 0, 0}};
		if (tapped_wait(fds, 3) <= 0)
			continue;
		if (fds[0].revents)
			break;
		if (fds[1].revents)
			code = tapped_read(&v->stream, err);
		if (fds[2].revents & POLLERR)
			shut(v);
		if (!code && v->in >= 0)
			code = feed(v, err);
	}
	return code;
}

static int finish(struct viewer *v, int code, struct pt_error *err)
{
	int status = 0;
	shut(v);
	if (v->pidfd >= 0)
		close(v->pidfd);
	if (!v->pid)
		return code;
	if (code || tapped_interrupted())
		kill(v->pid, SIGTERM);
	while (waitpid(v->pid, &status, 0) < 0 && errno == EINTR)
		;
	char *fate = program_fate(status);
	if (fate && !code && !tapped_interrupted())
		code = pt_fail(err, -PT_EIO, NULL, "'%s' %s", v->program, fate);
	free(fate);
	return code;
}

int verb_wireshark(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	const char *program = ctl_text(ctl, "program");
	struct viewer v = {.program = program ? program : "wireshark", .pidfd = -1, .in = -1};
	int code = check_display(v.program, &err);
	tapped_catch_signals();
	if (!code)
		code = tapped_open(&v.stream, ctl, "block.tap", ctl_params(ctl), &err);
	if (!code)
		code = run(&v, ctl_many(ctl, "args"), &err);
	if (!code)
		code = serve(&v, &err);
	code = finish(&v, code, &err);
	if (!code && v.stream.ended && !tapped_interrupted())
		code = tapped_check_gone(ctl, &err);
	tapped_close(&v.stream);
	if (code)
		return ctl_refused(ctl, &err);
	return tapped_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}
