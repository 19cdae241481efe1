/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl graph. */
#include "base/error.h"
#include "base/io.h"
#include "ctl/ctl.h"
#include "ctl/drawing.h"
#include "ctl/out.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int ask(struct ctl *ctl, const char *method, bool stats, json_t **result,
               struct pt_error *err)
{
	json_t *params = ctl_engine(ctl);
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

static int cannot_write(const char *path, int code, struct pt_error *err)
{
	return pt_fail(err, -EIO, "output", "cannot write '%s': %s", path, error_words(code));
}

static int write_text(int out, const char *path, const char *text, struct pt_error *err)
{
	int code = io_write(out, text, strlen(text));
	return code ? cannot_write(path, code, err) : 0;
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
	io_write(ends[1], text, strlen(text));
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
	bool is_dot = !strcmp(format, "dot");
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out < 0)
		return cannot_write(path, errno, err);
	int code =
		is_dot ? write_text(out, path, text, err) : run_dot(format, path, out, text, err);
	if (close(out) && !code)
		code = cannot_write(path, errno, err);
	if (code && !is_dot)
		unlink(path);
	return code;
}

static int write_picture(const char *path, const char *dot, struct pt_error *err)
{
	static const char *const formats[] = {"svg", "png", "dot"};
	const char *ending = strrchr(path, '.');
	for (size_t i = 0; ending && i < sizeof formats / sizeof *formats; i++)
		if (!strcmp(ending + 1, formats[i]))
			return draw_file(formats[i], path, dot, err);
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

int verb_graph(struct ctl *ctl)
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
