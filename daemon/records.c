/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines with checksums that follow from one another. */
#include "daemon/records.h"
#include "base/memory.h"

#include "rpc/call.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FORMAT     "{\"journal\":1}"
#define SUM_LENGTH 9 /* and the space */

static uint32_t sum_of(uint32_t before, const char *text, size_t length)
{
	return (uint32_t)crc32(before, (const Bytef *)text, (uInt)length);
}

static void add_line(struct buf *b, uint32_t *sum, const char *text)
{
	*sum = sum_of(*sum, text, strlen(text));
	buf_addf(b, "%08" PRIx32 " %s\n", *sum, text);
}

void records_begin(struct buf *b, uint32_t *sum)
{
	*sum = 0;
	add_line(b, sum, FORMAT);
}

void records_add(struct buf *b, uint32_t *sum, const json_t *record)
{
	char *text = json_dumps(record, JSON_COMPACT);
	if (!text)
		out_of_memory();
	add_line(b, sum, text);
	free(text);
}

/* The record of a line without its newline; NULL: the sum is wrong. */
static json_t *read_record(const char *line, size_t length, uint32_t *sum)
{
	json_t *record = NULL;
	char wanted[SUM_LENGTH + 1];
	const char *text = line + SUM_LENGTH;
	if (length <= SUM_LENGTH || memchr(line, '\0', length))
		return NULL;
	uint32_t is = sum_of(*sum, text, length - SUM_LENGTH);
	snprintf(wanted, sizeof wanted, "%08" PRIx32 " ", is);
	if (memcmp(line, wanted, SUM_LENGTH) ||
	    rpc_json_parse(text, length - SUM_LENGTH, &record, NULL))
		return NULL;
	*sum = is;
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
		json_t *record = newline ? read_record(line, length, &f->sum) : NULL;
		bool is_last = at + length + 1 >= b->length;
		if (record && (number > 1 || is_format(record))) {
			if (number > 1)
				json_array_append(f->records, record);
			at += length + 1;
			f->good = at;
		} else if (number > 1 && is_last && is_torn(line, length, newline)) {
			f->torn = b->length - at;
		} else {
			f->damage = must_printf("line %u is damaged", number);
		}
		json_decref(record);
	}
	if (!f->damage && !json_array_size(f->records))
		f->damage = must_strdup("it holds no record");
}
