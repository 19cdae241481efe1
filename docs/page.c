/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills in a manual page: page TEMPLATE > PAGE.scd. */
#include "docs/page.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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
	const char *unknown = page_fill(text.data, page_parts, &page);
	if (unknown)
		fprintf(stderr, "there is no part %.40s\n", unknown);
	bool good = !unknown && fwrite(page.data, 1, page.length, stdout) == page.length &&
	            !fflush(stdout);
	buf_free(&text);
	buf_free(&page);
	return !good;
}
