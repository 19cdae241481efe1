/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of formats, and what their parsers share. */
#include "capture/format.h"

#include "base/buf.h"
#include "capture/pack.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

const struct format *const formats[] = {
#define FORMAT(number, name, row) [number] = &(row),
#include "capture/formats.def"
#undef FORMAT
	NULL};

const char *const capture_formats[] = {
#define FORMAT(number, name, row) [number] = (name),
#include "capture/formats.def"
#undef FORMAT
	NULL};

static bool ends_with(const char *path, size_t length, const char *ending)
{
	size_t size = strlen(ending);
	return length >= size && !strncasecmp(path + length - size, ending, size);
}

enum capture_format capture_format_by_name(const char *path)
{
	const char *end;
	pack_by_name(path, &end);
	for (int i = 0; formats[i]; i++)
		for (const char *const *e = formats[i]->endings; e && *e; e++)
			if (ends_with(path, (size_t)(end - path), *e))
				return (enum capture_format)i;
	return (enum capture_format)0;
}

bool capture_format_is_mixed(enum capture_format format)
{
	return formats[format]->mixed;
}

int window_damaged(const struct window *w, uint64_t offset, struct pt_error *err, const char *fmt,
                   ...)
{
	if (!err)
		return -EBADMSG;
	va_list args;
	va_start(args, fmt);
	struct buf words = BUF_INIT;
	buf_vaddf(&words, fmt, args);
	va_end(args);
	pt_fail(err, -EBADMSG, "fname", "'%s' is damaged at byte %llu: %s", w->name,
	        (unsigned long long)offset, words.data);
	buf_free(&words);
	return -EBADMSG;
}
