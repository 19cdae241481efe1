/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills in a manual page: page TEMPLATE > PAGE.scd. */
#include "docs/page.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct page_part *find(const struct page_part *part, const char *name, size_t length)
{
	for (; part->name; part++)
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

static bool fill_in(const char *text, struct buf *out)
{
	for (; *text; text++) {
		size_t length = *text == '@' ? name_length(text + 1) : 0;
		if (!length) {
			buf_addc(out, *text);
			continue;
		}
		const struct page_part *part = find(page_parts, text + 1, length);
		if (!part)
			part = find(page_common, text + 1, length);
		if (!part) {
			fprintf(stderr, "there is no part @%.*s@\n", (int)length, text + 1);
			return false;
		}
		part->write(out);
		text += length + 1;
	}
	return true;
}

static bool read_all(FILE *file, struct buf *text)
{
	size_t count;
	while ((count = fread(buf_reserve(text, 4096), 1, 4096, file)))
		text->length += count;
	buf_addc(text, '\0');
	return !ferror(file);
}

int main(int argc, char **argv)
{
	struct buf text = BUF_INIT, page = BUF_INIT;
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	if (!file || !read_all(file, &text)) {
		fprintf(stderr, "usage: page TEMPLATE.scd > PAGE.scd (%s)\n", strerror(errno));
		return 1;
	}
	fclose(file);
	bool good = fill_in(text.data, &page) &&
	            fwrite(page.data, 1, page.length, stdout) == page.length && !fflush(stdout);
	buf_free(&text);
	buf_free(&page);
	return !good;
}
