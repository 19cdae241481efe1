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
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out < 0)
		return cannot_write(path, errno, err);
	int rc = format ? 0 : io_write(out, text, strlen(text));
	int code = format ? run_dot(format, path, out, text, err) : 0;
	if (close(out) && !rc)
		rc = -errno;
	if (code)
		unlink(path);
	return rc && !code ? cannot_write(path, rc, err) : code;
}

/* As its name says. */
static int write_picture(const char *path, const char *dot, struct pt_error *err)
{
	static const char *const formats[] = {"svg", "png", "dot"};
	const char *ending = strrchr(path, '.');
	for (size_t i = 0; ending && i < sizeof formats / sizeof *formats; i++)
		if (!strcmp(ending + 1, formats[i]))
			return draw_file(i < 2 ? formats[i] : NULL, path, dot, err);
	pt_fail(err, -PT_EREQUEST, "output", "'%s' does not end in .svg, .png or .dot", path);
	pt_hint(err, "or say --text, --dot or --mermaid");
	return -PT_EREQUEST;
}

/* ---- which of them ---- */

/* NULL: to standard output. */
static const char *path_of(const struct ctl *ctl)
{
	const char *path = ctl_text(ctl, "output");
	return path && strcmp(path, "-") != 0 ? path : NULL;
}

/* One of the options, or NULL. */
static int format_of(const struct ctl *ctl, const char **format, struct pt_error *err)
{
	static const char *const words[] = {"text", "dot", "mermaid"};
	*format = NULL;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (!ctl_flag(ctl, words[i]))
			continue;
		if (*format)
			return pt_fail(err, -PT_EREQUEST, NULL, "--%s and --%s cannot go together",
			               *format, words[i]);
		*format = words[i];
	}
	return 0;
}

static int draw_text(struct ctl *ctl, struct pt_error *err)
{
	json_t *shown = NULL, *stats = NULL;
	struct buf b = BUF_INIT;
	const char *path = path_of(ctl);
	int code = ctl_call(ctl, "engine.show", ctl_engine(ctl), &shown, err);
	if (!code && ctl_flag(ctl, "stats"))
		code = ctl_call(ctl, "engine.stats", ctl_engine(ctl), &stats, err);
	if (!code)
		drawing_text(&b, shown, stats, ctl_flag(ctl, "params"));
	if (!code && path)
		code = draw_file(NULL, path, b.data ? b.data : "", err);
	else if (!code)
		out_print(b.data ? b.data : "", b.length);
	buf_free(&b);
	json_decref(shown);
	json_decref(stats);
	return code;
}

static const char *picture_of(const json_t *result)
{
	const char *dot = text_of(result, "dot");
	return *dot ? dot : text_of(result, "mermaid");
}

void print_graph(struct ctl *ctl, struct buf *b, json_t *result)
{
	if (!path_of(ctl))
		buf_adds(b, picture_of(result));
}

static int draw(struct ctl *ctl, const char *format, json_t **result, struct pt_error *err)
{
	const char *path = path_of(ctl);
	json_t *params = ctl_params(ctl);
	if (format)
		json_object_set_new(params, "format", json_string(format));
	int code = ctl_call(ctl, "engine.graph", params, result, err);
	if (code || !path)
		return code;
	return format ? draw_file(NULL, path, picture_of(*result), err)
	              : write_picture(path, picture_of(*result), err);
}

int verb_graph(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *result = NULL;
	const char *format;
	int code = format_of(ctl, &format, &err);
	bool text =
		format ? !strcmp(format, "text") : !ctl_text(ctl, "output") && out_is_terminal();
	if (code || (text && !ctl->json))
		return code || draw_text(ctl, &err) ? ctl_refused(ctl, &err) : EXIT_DONE;
	code = draw(ctl, text ? NULL : format, &result, &err);
	return ctl_end(ctl, code, result, &err);
}
