/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl graph. */
#include "base/error.h"
#include "base/io.h"
#include "base/json.h"
#include "base/program.h"
#include "ctl/ctl.h"
#include "ctl/drawing.h"
#include "ctl/out.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- files ---- */

static int cannot_write(const char *path, int code, struct pt_error *err)
{
	return pt_fail(err, -EIO, "output", "cannot write '%s': %s", path, error_words(code));
}

static int run_dot(const char *format, const char *path, int out, const char *text,
                   struct pt_error *err)
{
	int ends[2], status = 0;
	pid_t child;
	if (pipe2(ends, O_CLOEXEC))
		return pt_fail(err, -errno, NULL, "cannot make a pipe: %s", error_words(errno));
	char dot[] = "dot", option[] = "-Tpng", *const argv[] = {dot, option, NULL};
	memcpy(option + 2, format, 3);
	const struct program_ends places = {.in = ends[0], .out = out, .more = -1};
	int code = program_start(argv, &places, NULL, &child, err);
	close(ends[0]);
	if (!code)
		io_write(ends[1], text, strlen(text));
	close(ends[1]);
	if (code) {
		pt_hint(err, "install graphviz, or write '-o FILE.dot'");
		return code;
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status ? pt_fail(err, -EIO, NULL, "'dot' could not write '%s'", path) : 0;
}

static int draw_file(const char *format, const char *path, const char *text, struct pt_error *err)
{
	bool is_dot = !strcmp(format, "dot");
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out < 0)
		return cannot_write(path, errno, err);
	int rc = is_dot ? io_write(out, text, strlen(text)) : 0;
	int code = is_dot ? 0 : run_dot(format, path, out, text, err);
	if (close(out) && !rc)
		rc = -errno;
	if (code)
		unlink(path);
	return rc && !code ? cannot_write(path, rc, err) : code;
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
	struct buf b = BUF_INIT;
	int code = ctl_call(ctl, "engine.show", ctl_engine(ctl), &shown, err);
	if (!code && ctl_flag(ctl, "stats"))
		code = ctl_call(ctl, "engine.stats", ctl_engine(ctl), &stats, err);
	if (!code)
		drawing_text(&b, shown, stats);
	out_buf(&b);
	json_decref(shown);
	json_decref(stats);
	return code;
}

void print_graph(struct ctl *ctl, struct buf *b, json_t *result)
{
	if (!ctl_text(ctl, "output"))
		buf_adds(b, text_of(result, "dot"));
}

int verb_graph(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	const char *path = ctl_text(ctl, "output");
	json_t *result = NULL;
	if (!path && !ctl->json && out_is_terminal())
		return draw(ctl, &err) ? ctl_refused(ctl, &err) : EXIT_DONE;
	int code = ctl_call(ctl, "engine.graph", ctl_params(ctl), &result, &err);
	if (!code && path)
		code = write_picture(path, text_of(result, "dot"), &err);
	return ctl_end(ctl, code, result, &err);
}
