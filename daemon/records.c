/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines with checksums. */
#include "daemon/records.h"

#include "rpc/call.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FORMAT     "{\"journal\":1}"
#define SUM_LENGTH 9 /* and the space */

static void add_line(struct buf *b, const char *text)
{
	unsigned long sum = crc32(0, (const Bytef *)text, (uInt)strlen(text));
	buf_addf(b, "%08lx %s\n", sum, text);
}

void records_begin(struct buf *b)
{
	add_line(b, FORMAT);
}

void records_add(struct buf *b, const json_t *record)
{
	char *text = json_dumps(record, JSON_COMPACT);
	if (!text)
		abort();
	add_line(b, text);
	free(text);
}

/* The record of a line without its newline; NULL: the sum is wrong. */
static json_t *read_record(const char *line, size_t length)
{
	json_t *record = NULL;
	char *end;
	if (length <= SUM_LENGTH || line[SUM_LENGTH - 1] != ' ' || memchr(line, '\0', length))
		return NULL;
	unsigned long said = strtoul(line, &end, 16);
	const char *text = line + SUM_LENGTH;
	if (end != text - 1 || said != crc32(0, (const Bytef *)text, (uInt)(length - SUM_LENGTH)))
		return NULL;
	rpc_json_parse(text, length - SUM_LENGTH, &record, NULL);
	return record;
}

static bool is_torn(const char *line, size_t length, bool ended)
{
	return !ended || memchr(line, '\0', length);
}

static bool is_format(const json_t *record)
{
	return json_integer_value(json_object_get(record, "journal")) == 1;
}

void records_read(const struct buf *b, struct records_found *f)
{
	*f = (struct records_found){.records = json_array()};
	unsigned number = 1;
	for (size_t at = 0; at < b->length && !f->damage && !f->torn; number++) {
		const char *line = b->data + at, *newline = memchr(line, '\n', b->length - at);
		size_t length = newline ? (size_t)(newline - line) : b->length - at;
		json_t *record = newline ? read_record(line, length) : NULL;
		bool is_last = at + length + 1 >= b->length;
		if (record && (number > 1 || is_format(record))) {
			if (number > 1)
				json_array_append(f->records, record);
			at += length + 1;
			f->good = at;
		} else if (number > 1 && is_last && is_torn(line, length, newline)) {
			f->torn = b->length - at;
		} else {
			f->damage = must_printf("line %u is damaged, and its engine is not started",
			                        number);
		}
		json_decref(record);
	}
	if (!f->damage && !json_array_size(f->records))
		f->damage = must_strdup("it holds no record, and its engine is not started");
}
