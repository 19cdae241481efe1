/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl graph. */
#include "base/error.h"
#include "ctl/ctl.h"
#include "ctl/drawing.h"
#include "ctl/out.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int graph(struct ctl *);

static const struct pt_param rows[] = {
	{.name = "engine", .doc = "Its name.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{.name = "stats",
         .doc = "With the states of blocks and the numbers of messages.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	{.name = "output",
         .doc = "Write a picture to this file, which ends in .svg, .png or .dot.",
         .kind = PT_KIND_PATH,
         .flags = PT_OPTION,
         .letter = 'o'},
	{NULL},
};

const struct verb verb_graph = {
	.name = "graph",
	.summary = "draw an engine's graph",
	.help = "Low links are blue, high links purple and triggers red. Without -o it is drawn in "
		"text "
		"on a terminal, and printed in dot elsewhere. For .svg and .png, dot of the "
		"graphviz "
		"package is run.",
	.params = rows,
	.run = graph,
};

static int ask(struct ctl *ctl, const char *method, bool stats, json_t **result,
               struct pt_error *err)
{
	json_t *params = json_object();
	json_object_set_new(params, "engine", json_string(ctl_text(ctl, "engine")));
	if (stats)
		json_object_set_new(params, "stats", json_true());
	return ctl_call(ctl, method, params, result, err);
}

static int ask_dot(struct ctl *ctl, json_t **result, const char **dot, struct pt_error *err)
{
	int code = ask(ctl, "engine.graph", ctl_flag(ctl, "stats"), result, err);
	*dot = code ? NULL : json_string_value(json_object_get(*result, "dot"));
	return code || *dot ? code
	                    : pt_fail(err, -PT_EINTERNAL, NULL, "the daemon's answer has no dot");
}

/* ---- files ---- */

static int write_text(const char *path, const char *text, struct pt_error *err)
{
	FILE *file = fopen(path, "we");
	bool good = file && fputs(text, file) >= 0;
	if (file && fclose(file))
		good = false;
	return good ? 0
	            : pt_fail(err, -EIO, "output", "cannot write '%s': %s", path,
	                      error_words(errno));
}

static int feed_dot(int fd, const char *text)
{
	size_t length = strlen(text);
	while (length) {
		ssize_t n = write(fd, text, length);
		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static void become_dot(int in, const char *format, int out)
{
	char *option = must_printf("-T%s", format);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execlp("dot", "dot", option, (char *)NULL);
	_exit(127);
}

static int run_dot(const char *format, const char *path, int out, const char *text,
                   struct pt_error *err)
{
	int ends[2], status = 0;
	if (pipe2(ends, O_CLOEXEC))
		return pt_fail(err, -errno, NULL, "cannot make a pipe: %s", error_words(errno));
	pid_t child = fork();
	if (child < 0)
		return pt_fail(err, -errno, NULL, "cannot run dot: %s", error_words(errno));
	if (!child)
		become_dot(ends[0], format, out);
	close(ends[0]);
	feed_dot(ends[1], text);
	close(ends[1]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return pt_fail(err, -EIO, NULL,
		               "cannot run 'dot'; install graphviz, or write '-o FILE.dot'");
	return pt_fail(err, -EIO, NULL, "'dot' could not write '%s'", path);
}

static int draw_file(const char *format, const char *path, const char *text, struct pt_error *err)
{
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out < 0)
		return pt_fail(err, -EIO, "output", "cannot write '%s': %s", path,
		               error_words(errno));
	int code = run_dot(format, path, out, text, err);
	close(out);
	if (code)
		unlink(path);
	return code;
}

static int write_picture(const char *path, const char *dot, struct pt_error *err)
{
	static const char *const formats[] = {"svg", "png"};
	const char *ending = strrchr(path, '.');
	for (size_t i = 0; ending && i < 2; i++)
		if (!strcmp(ending + 1, formats[i]))
			return draw_file(formats[i], path, dot, err);
	if (ending && !strcmp(ending, ".dot"))
		return write_text(path, dot, err);
	return pt_fail(err, -PT_EREQUEST, "output", "'%s' does not end in .svg, .png or .dot",
	               path);
}

/* ---- text ---- */

static int draw(struct ctl *ctl, struct pt_error *err)
{
	json_t *shown = NULL, *stats = NULL;
	int code = ask(ctl, "engine.show", false, &shown, err);
	if (!code && ctl_flag(ctl, "stats"))
		code = ask(ctl, "engine.stats", false, &stats, err);
	if (!code) {
		struct buf b = BUF_INIT;
		drawing_text(&b, shown, stats);
		out_buf(&b);
	}
	json_decref(shown);
	json_decref(stats);
	return code;
}

static int graph(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	const char *path = ctl_text(ctl, "output"), *dot;
	json_t *result = NULL;
	int code;
	if (!path && !ctl->json && out_is_terminal()) {
		code = draw(ctl, &err);
	} else {
		code = ask_dot(ctl, &result, &dot, &err);
		if (!code && path)
			code = write_picture(path, dot, &err);
		else if (!code && !ctl->json)
			out_print(dot, strlen(dot));
	}
	if (!code && ctl->json)
		out_json(result);
	json_decref(result);
	return code ? ctl_refused(ctl, &err) : EXIT_DONE;
}
