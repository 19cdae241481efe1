/* SPDX-License-Identifier: BSD-2-Clause */
/* What an engine's blocks print; ptctl attach. */
#include "ctl/attach.h"

#include "base/json.h"
#include "ctl/out.h"
#include "type/param.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Time and name before each line; one that another block left unfinished is ended first. */
static void add_lines(struct attachment *a, struct buf *out, const json_t *params,
                      const struct pt_bytes *text)
{
	const char *name = text_of(params, "block"), *at = (const char *)text->data;
	size_t left = text->length;
	bool begun = a->last.length && !strcmp(a->last.data, name);
	if (a->last.length && !begun)
		buf_addc(out, '\n');
	while (left) {
		const char *newline = memchr(at, '\n', left);
		size_t line = newline ? (size_t)(newline - at) + 1 : left;
		if (!begun && a->times) {
			out_clock(out, text_of(params, "time"), 3);
			buf_adds(out, "  ");
		}
		if (!begun && a->names)
			buf_addf(out, "%s: ", name);
		buf_add(out, at, line);
		begun = !newline;
		at += line;
		left -= line;
	}
	buf_clear(&a->last);
	if (begun)
		buf_adds(&a->last, name);
}

static void print_text(struct attachment *a, const json_t *params)
{
	struct pt_bytes text;
	struct buf out = BUF_INIT;
	if (param_bytes_from_json(json_object_get(params, "text"), &text, NULL))
		return;
	if (a->names || a->times)
		add_lines(a, &out, params, &text);
	else
		buf_add(&out, text.data, text.length);
	out_buf(&out);
	free(text.data);
}

static void told(void *arg, const char *method, json_t *params)
{
	struct attachment *a = arg;
	if (a->before)
		a->before(a->arg);
	if (!strcmp(method, "gap"))
		fprintf(stderr, "ptctl: %lld pieces of output were lost\n",
		        integer_of(params, "dropped"));
	else if (a->json)
		out_json(params);
	else if (!strcmp(method, "block.output"))
		print_text(a, params);
}

int attach_open(struct attachment *a, struct ctl *ctl, struct pt_error *err)
{
	json_t *params = ctl_engine(ctl);
	if (ctl->block)
		json_object_set_new(params, "block", json_string(ctl->block));
	return follow_open(ctl, "block.attach", params, told, a, &a->client, NULL, err);
}

/* Answers come behind what was told before them. */
int attach_catch_up(struct attachment *a, double timeout_s, struct pt_error *err)
{
	return pt_client_call(a->client, "daemon.info", NULL, NULL, 0, timeout_s, NULL, err);
}

void attach_close(struct attachment *a)
{
	pt_client_close(a->client);
	buf_free(&a->last);
	a->client = NULL;
}

int verb_attach(struct ctl *ctl)
{
	static const bool never = false;
	struct pt_error err = PT_ERROR_INIT;
	struct attachment a = {
		.names = ctl_flag(ctl, "names"),
		.times = ctl_flag(ctl, "time"),
		.json = ctl->json,
	};
	int code = ctl_split_any(ctl, &err);
	if (!code)
		code = attach_open(&a, ctl, &err);
	if (!code)
		follow(ctl, a.client, &never, &err);
	attach_close(&a);
	return ctl_refused(ctl, &err);
}
