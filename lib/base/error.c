/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults, their kinds, and their words. */
#include "base/error.h"

#include "base/buf.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct error_kind error_kinds[] = {
#define PT_ERROR(name, code, kind, rpc, exit, sentence) {kind, code, rpc, exit, sentence},
#include <pipetool/errors.def>
#undef PT_ERROR
	{NULL, 0, 0, 0, NULL},
};

static const struct error_kind *by_code(int code)
{
	for (const struct error_kind *k = error_kinds; k->name; k++)
		if (k->code == code)
			return k;
	return NULL;
}

const struct error_kind *error_kind(int code)
{
	const struct error_kind *known = by_code(abs(code));
	if (known)
		return known;
	switch (abs(code)) {
	case EINVAL: return by_code(PT_EPARAM);
	case ENOMEM: return by_code(PT_ELIMIT);
	case ETIMEDOUT: return by_code(PT_ETIMEOUT);
	default: return by_code(PT_EIO);
	}
}

const struct error_kind *error_kind_by_name(const char *name)
{
	for (const struct error_kind *k = error_kinds; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

const struct error_kind *error_kind_by_rpc(int rpc)
{
	for (const struct error_kind *k = error_kinds; k->name; k++)
		if (k->rpc == rpc)
			return k;
	return NULL;
}

static char *vtext(const char *fmt, va_list args)
{
	struct buf b = BUF_INIT;
	buf_vaddf(&b, fmt, args);
	return buf_steal(&b);
}

int error_vfail(struct pt_error *err, int code, const char *path, const char *fmt, va_list args)
{
	assert(code < 0);
	if (!err)
		return code;
	err->faults = must_realloc(err->faults, err->count + 1, sizeof *err->faults);
	err->faults[err->count++] = (struct pt_fault){
		.code = code,
		.path = path ? must_strdup(path) : NULL,
		.message = vtext(fmt, args),
	};
	return code;
}

int pt_fail(struct pt_error *err, int code, const char *path, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	error_vfail(err, code, path, fmt, args);
	va_end(args);
	return code;
}

static void replace(char **field, char *text)
{
	free(*field);
	*field = text;
}

void pt_hint(struct pt_error *err, const char *fmt, ...)
{
	if (!err || !err->count)
		return;
	va_list args;
	va_start(args, fmt);
	replace(&err->faults[err->count - 1].hint, vtext(fmt, args));
	va_end(args);
}

void error_value(struct pt_error *err, const char *json)
{
	if (err && err->count)
		replace(&err->faults[err->count - 1].value, must_strdup(json));
}

void error_allowed(struct pt_error *err, const char *json)
{
	if (err && err->count)
		replace(&err->faults[err->count - 1].allowed, must_strdup(json));
}

void error_place(struct pt_fault *fault, unsigned line, unsigned column, const char *caret)
{
	fault->line = line;
	fault->column = column;
	replace(&fault->caret, must_strdup(caret));
}

void error_introduce(struct pt_error *err, size_t from, const char *words)
{
	for (size_t i = from; err && i < err->count; i++) {
		struct pt_fault *f = &err->faults[i];
		replace(&f->message, must_printf("%s: %s", words, f->message));
	}
}

void error_prefix(struct pt_error *err, size_t from, const char *prefix)
{
	for (size_t i = from; err && i < err->count; i++) {
		struct pt_fault *f = &err->faults[i];
		const char *rest = f->path ? f->path : "";
		const char *dot = *rest && *rest != '[' ? "." : "";
		replace(&f->path, must_printf("%s%s%s", prefix, dot, rest));
	}
}

void error_move(struct pt_error *to, struct pt_error *from)
{
	if (!to) {
		pt_error_clear(from);
		return;
	}
	if (from->count) {
		to->faults = must_realloc(to->faults, to->count + from->count, sizeof *to->faults);
		memcpy(to->faults + to->count, from->faults, from->count * sizeof *from->faults);
		to->count += from->count;
	}
	free(from->faults);
	*from = (struct pt_error)PT_ERROR_INIT;
}

void pt_error_clear(struct pt_error *err)
{
	if (!err)
		return;
	for (size_t i = 0; i < err->count; i++) {
		struct pt_fault *f = &err->faults[i];
		free(f->path);
		free(f->message);
		free(f->hint);
		free(f->value);
		free(f->allowed);
		free(f->caret);
	}
	free(err->faults);
	*err = (struct pt_error)PT_ERROR_INIT;
}

const char *pt_error_text(const struct pt_error *err, const char *otherwise)
{
	return err && err->count ? err->faults[0].message : otherwise;
}

const char *error_words(int code)
{
	static _Thread_local char words[128];
	const struct error_kind *known = by_code(abs(code));
	const char *text = known ? known->sentence : strerrordesc_np(abs(code));
	snprintf(words, sizeof words, "%s", text ? text : "unknown error");
	if (words[0] && islower((unsigned char)words[1]))
		words[0] = (char)tolower((unsigned char)words[0]);
	return words;
}
