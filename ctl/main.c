/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl: finds the verb, runs it, and gives its exit status. */
#include "base/buf.h"
#include "base/program.h"
#include "ctl/ctl.h"
#include "ctl/extcap.h"
#include "ctl/help.h"
#include "ctl/hosts.h"
#include "ctl/many.h"
#include "ctl/out.h"
#include "ctl/verb_hint.h"
#include "ctl/remote.h"
#include "paths.h"
#include "type/help.h"
#include "type/param.h"
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int take_fds(struct ctl *ctl, struct pt_error *err)
{
	const json_t *list = json_object_get(ctl->values, "fd");
	size_t i;
	json_t *fd;
	json_array_foreach (list, i, fd) {
		if (i == sizeof ctl->fds / sizeof *ctl->fds)
			return pt_fail(err, -PT_EREQUEST, "fd", "at most %zu descriptors", i);
		if (!json_is_integer(fd) || json_integer_value(fd) < 0 ||
		    json_integer_value(fd) > 1 << 20)
			return pt_fail(err, -PT_EREQUEST, "fd",
			               "'--fd' takes the number of an open descriptor");
		if (fcntl((int)json_integer_value(fd), F_GETFD) < 0)
			return pt_fail(err, -PT_EREQUEST, "fd",
			               "'--fd': descriptor %d is not open; the shell opens one "
			               "with exec %d<>FILE",
			               (int)json_integer_value(fd), (int)json_integer_value(fd));
		ctl->fds[ctl->fd_count++] = (int)json_integer_value(fd);
	}
	return 0;
}

#define PATIENCE_S 10.0

/* $PIPETOOL_TIMEOUT is read as a --timeout before all others would be. */
static int take_patience(struct ctl *ctl, struct pt_error *err)
{
	char *text = getenv("PIPETOOL_TIMEOUT");
	char option[] = "--timeout", *words[] = {option, text};
	json_t *values = json_object();
	const struct argv argv = verb_argv(NULL);
	int place = text && *text ? argv_options(&argv, 2, words, values, err) : 0;
	const json_t *timeout = json_object_get(values, "timeout");
	ctl->patience_s = timeout ? json_number_value(timeout) : PATIENCE_S;
	json_decref(values);
	if (place < 0)
		pt_hint(err, "it is $PIPETOOL_TIMEOUT");
	return place < 0 ? place : 0;
}

/* Of the first word that names one, and has but options before it, of all or its own; -1: none. */
static int place_of_verb(int count, char **words)
{
	for (int i = 0; i < count; i++) {
		const struct verb *verb = verb_find(words[i]);
		const struct argv argv = verb_argv(verb);
		struct pt_error err = PT_ERROR_INIT;
		json_t *values = json_object();
		bool found = verb && argv_options(&argv, i, words, values, &err) == i;
		json_decref(values);
		pt_error_clear(&err);
		if (found)
			return i;
	}
	return -1;
}

/* What is before the verb, the verb, and what is behind it. */
static int read_all(struct ctl *ctl, int count, char **words, struct pt_error *err)
{
	int place = place_of_verb(count, words);
	ctl->verb = place < 0 ? NULL : verb_find(words[place]);
	const struct argv argv = verb_argv(ctl->verb);
	int read = argv_options(&argv, place < 0 ? count : place, words, ctl->values, err);
	if (read < 0 || (!ctl->verb && read == count))
		return read < 0 ? read : 0;
	if (!ctl->verb)
		return verb_unknown(words[read], err);
	return argv_read(&argv, count - place - 1, words + place + 1, ctl->values, err);
}

static int read_words(struct ctl *ctl, int count, char **words, struct pt_error *err)
{
	int code = read_all(ctl, count, words, err);
	if (code)
		return code;
	const json_t *timeout = json_object_get(ctl->values, "timeout");
	ctl->timeout_s = timeout ? json_number_value(timeout) : ctl->patience_s;
	ctl->socket = ctl_text(ctl, "socket");
	ctl->json = ctl_flag(ctl, "json");
	code = take_fds(ctl, err);
	return code || !ctl->verb ? code : ctl_take_target(ctl, err);
}

static int run(struct ctl *ctl)
{
	if (ctl_flag(ctl, "version")) {
		static const char text[] = "ptctl " PIPETOOL_VERSION "\n";
		out_print(text, sizeof text - 1);
		return EXIT_DONE;
	}
	if (ctl->verb && !ctl_flag(ctl, "help"))
		return ctl->verb->run ? ctl->verb->run(ctl) : ctl_run_method(ctl);
	struct buf b = BUF_INIT;
	if (ctl->verb)
		help_verb(&b, ctl->verb);
	else
		help_overview(&b);
	out_buf(&b);
	return EXIT_DONE;
}

/* Of what it used; returns the status. */
static int let_go(struct ctl *ctl, int status)
{
	pt_client_close(ctl->client);
	remote_end(ctl->remote);
	return status;
}

static int run_whole(struct ctl *ctl)
{
	return let_go(ctl, run(ctl));
}

/* How long a login may take where one host is asked: as long as somebody may be typing a password
   for it, unless --timeout says otherwise. */
static double login_most(const struct ctl *ctl)
{
	if (json_object_get(ctl->values, "timeout") && !param_find(ctl->verb->params, "timeout"))
		return ctl->timeout_s;
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (terminal >= 0)
		close(terminal);
	return terminal >= 0 || program_has_display() ? 0 : ctl->patience_s;
}

static int run_on_hosts(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct hosts hosts = {NULL, 0};
	bool asks = ctl->verb && !ctl_flag(ctl, "help") && !ctl_flag(ctl, "version");
	const char *items = asks ? ctl_text(ctl, "host") : NULL;
	int code = items ? hosts_find(items, &hosts, &err) : 0;
	if (!code && hosts.count > 1)
		code = many_check(ctl, &hosts, &err);
	if (!code && hosts.count == 1) {
		ctl->host = hosts.all->target;
		ctl->login_s = login_most(ctl);
		ctl->socket = hosts.all->socket ? hosts.all->socket : ctl->socket;
	}
	const json_t *jobs = json_object_get(ctl->values, "jobs");
	int status =
		code ? ctl_refused(ctl, &err)
		: hosts.count > 1
			? many_run(ctl, &hosts,
	                           jobs ? (unsigned)json_integer_value(jobs) : CTL_JOBS, run_whole)
			: run_whole(ctl);
	hosts_free(&hosts);
	return status;
}

static void interrupted(int signal)
{
	_exit(EXIT_INTERRUPTED);
}

/* What was closed is not to become the connection to the daemon: it would get what is printed. */
static void keep_standard_places(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			_exit(EXIT_REFUSED);
}

int main(int argc, char **argv)
{
	json_set_alloc_funcs(must_malloc, free);
	struct ctl ctl = {.values = json_object()};
	struct pt_error err = PT_ERROR_INIT;
	keep_standard_places();
	setlocale(LC_CTYPE, "");
	help_set_columns(out_columns());
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, interrupted);
	int status;
	if (take_patience(&ctl, &err))
		status = ctl_refused(&ctl, &err);
	else if (extcap_calls(argc - 1, argv + 1))
		status = let_go(&ctl, extcap_run(&ctl, argc - 1, argv + 1));
	else
		status = read_words(&ctl, argc - 1, argv + 1, &err) ? ctl_refused(&ctl, &err)
		                                                    : run_on_hosts(&ctl);
	json_decref(ctl.values);
	free(ctl.engine);
	free(ctl.block);
	return status;
}
