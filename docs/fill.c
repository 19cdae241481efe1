/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts what the tables give in place of @part@. */
#include "docs/page.h"

#include <string.h>

static const struct page_part *find(const struct page_part *part, const char *name, size_t length)
{
	for (; part && part->name; part++)
		if (strlen(part->name) == length && !memcmp(part->name, name, length))
			return part;
	return NULL;
}

/* The length of the "name@" that the text begins with; 0: it begins otherwise. */
static size_t name_length(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
	return text[length] == '@' ? length : 0;
}

const char *page_fill(const char *text, const struct page_part *own, struct buf *out)
{
	for (; *text; text++) {
		size_t length = *text == '@' ? name_length(text + 1) : 0;
		if (!length) {
			buf_addc(out, *text);
			continue;
		}
		const struct page_part *part = find(own, text + 1, length);
		if (!part)
			part = find(page_common, text + 1, length);
		if (!part)
			return text;
		part->write(out);
		text += length + 1;
	}
	return NULL;
}
