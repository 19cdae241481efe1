/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl send. */
#include "base/encode.h"
#include "base/error.h"
#include "base/json.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "type/param.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So much in base64 fits a request; in hex, with blanks, it is longer. */
enum { MESSAGE_MAX = 11 * 1024 * 1024, LINE_LENGTH_MAX = 4 * MESSAGE_MAX };
enum { LONG = 128 * 1024, READ_SIZE = 64 * 1024 };

struct sending {
	struct ctl *ctl;
	json_t *messages; /* not sent yet: they are taken together or not at all */
	json_t *result;
};

static int flush(struct sending *s, struct pt_error *err)
{
	if (!json_array_size(s->messages))
		return 0;
	json_t *params = ctl_params(s->ctl);
	json_object_set_new(params, "messages", s->messages);
	if (ctl_flag(s->ctl, "high"))
		json_object_set_new(params, "canal", json_string("high"));
	if (ctl_flag(s->ctl, "wait"))
		json_object_set_new(params, "wait", json_true());
	s->messages = json_array();
	json_decref(s->result);
	s->result = NULL;
	return ctl_call(s->ctl, "block.send", params, &s->result, err);
}

static int decode(const struct ctl *ctl, struct buf *b, const char *text, size_t length,
                  struct pt_error *err)
{
	if (ctl_flag(ctl, "hex") && decode_hex(b, text, length))
		return pt_fail(err, -PT_EREQUEST, NULL, "'%.*s' is not hex, two digits a byte",
		               (int)(length < 60 ? length : 60), text);
	if (ctl_flag(ctl, "base64") && decode_base64(b, text, length))
		return pt_fail(err, -PT_EREQUEST, NULL, "'%.*s' is not base64 with its padding",
		               (int)(length < 60 ? length : 60), text);
	if (!ctl_flag(ctl, "hex") && !ctl_flag(ctl, "base64"))
		buf_add(b, text, length);
	return 0;
}

/* A long message as base64, whose length is known. */
static json_t *to_json(const struct buf *b)
{
	struct buf text = BUF_INIT;
	if (b->length <= LONG)
		return param_bytes_to_json(b->data, b->length);
	encode_base64(&text, b->data, b->length);
	json_t *json = json_pack("{s:s%}", "base64", text.data, text.length);
	buf_free(&text);
	return json;
}

static int too_long(size_t length, const char *or_more, struct pt_error *err)
{
	return pt_fail(err, -PT_ELIMIT, NULL,
	               "a message of %zu bytes%s is too long to be sent this way; at most %d",
	               length, or_more, MESSAGE_MAX);
}

static int add(struct sending *s, const char *text, size_t length, struct pt_error *err)
{
	struct buf b = BUF_INIT;
	int code = decode(s->ctl, &b, text, length, err);
	if (!code && b.length > MESSAGE_MAX)
		code = too_long(b.length, "", err);
	if (!code)
		json_array_append_new(s->messages, to_json(&b));
	buf_free(&b);
	return code;
}

static int add_lines(struct sending *s, struct buf *input, bool end, struct pt_error *err)
{
	size_t done = 0;
	int code = 0;
	while (!code && done < input->length) {
		const char *line = input->data + done;
		const char *newline = memchr(line, '\n', input->length - done);
		if (!newline && !end)
			break;
		size_t length = newline ? (size_t)(newline - line) : input->length - done;
		code = add(s, line, length, err);
		done += length + (newline != NULL);
	}
	buf_consume(input, done);
	if (!code && input->length > LINE_LENGTH_MAX)
		code = too_long(input->length, " or more", err);
	return code;
}

/* What is there is sent at once, so that a line typed does not wait for the next. */
static int send_input(struct sending *s, struct pt_error *err)
{
	struct buf input = BUF_INIT;
	ssize_t length = 1;
	int code = 0;
	while (!code && length) {
		length = read(STDIN_FILENO, buf_reserve(&input, READ_SIZE), READ_SIZE);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0) {
			code = pt_fail(err, -EIO, NULL, "cannot read standard input: %s",
			               error_words(errno));
			break;
		}
		input.length += (size_t)length;
		code = add_lines(s, &input, !length, err);
		if (!code)
			code = flush(s, err);
	}
	buf_free(&input);
	return code;
}

static int send_words(struct sending *s, const json_t *words, struct pt_error *err)
{
	int code = 0;
	json_each (word, words)
		if (!code)
			code = add(s, json_string_value(word), json_string_length(word), err);
	return code ? code : flush(s, err);
}

/* Else one would think that they have gone. */
static void tell_waiting(const struct sending *s)
{
	struct buf line = BUF_INIT;
	double waiting = number_of(s->result, "waiting");
	if (!waiting)
		return;
	out_count(&line, waiting);
	buf_addf(&line, waiting == 1 ? " message waits" : " messages wait");
	if (!strcmp(text_of(s->result, "state"), "stopped"))
		buf_addf(&line, " in %s.%s until the engine is started: ptctl start %s\n",
		         s->ctl->engine, s->ctl->block, s->ctl->engine);
	else
		buf_addf(&line, " in %s.%s until a sink has room\n", s->ctl->engine, s->ctl->block);
	out_buf(&line);
}

int verb_send(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct sending s = {.ctl = ctl, .messages = json_array()};
	const json_t *words = ctl_many(ctl, "message");
	int code = 0;
	if (ctl_flag(ctl, "hex") && ctl_flag(ctl, "base64"))
		code = pt_fail(&err, -PT_EREQUEST, NULL, "either --hex or --base64, not both");
	if (!code)
		code = words ? send_words(&s, words, &err) : send_input(&s, &err);
	if (!code && ctl->json)
		out_json(s.result);
	else if (!code)
		tell_waiting(&s);
	json_decref(s.result);
	json_decref(s.messages);
	return code ? ctl_refused(ctl, &err) : EXIT_DONE;
}
