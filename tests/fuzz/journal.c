/* SPDX-License-Identifier: BSD-2-Clause */
/* A journal of any bytes: what is found of it is good to go on with, and reads the same again. */
#include "base/buf.h"
#include "daemon/records.h"
#include "daemon/revisions.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void restore(const json_t *records)
{
	struct pt_error err = PT_ERROR_INIT;
	struct revisions past;
	revisions_init(&past, NULL);
	if (revisions_restore(&past, records, &err) == 0) {
		const struct revision *last = history_last(&past.history);
		json_t *kept = history_records(&past.history);
		assert(last && kept && json_is_array(last->blocks) && json_is_array(last->links));
		json_decref(kept);
	} else {
		assert(err.count);
	}
	revisions_fini(&past);
	pt_error_clear(&err);
}

/* Lines whose sums are right, which chance does not find. */
static void read_summed(const uint8_t *data, size_t size)
{
	struct records_found found = {.records = NULL};
	struct buf text = BUF_INIT;
	uint32_t sum;
	records_begin(&text, &sum);
	for (const uint8_t *end; size; size -= (size_t)(end - data), data = end) {
		const uint8_t *newline = memchr(data, '\n', size);
		end = newline ? newline + 1 : data + size;
		json_t *record = json_loadb((const char *)data, (size_t)(end - data), 0, NULL);
		if (json_is_object(record))
			records_add(&text, &sum, record);
		json_decref(record);
	}
	records_read(&text, &found);
	if (!found.damage)
		restore(found.records);
	json_decref(found.records);
	free(found.damage);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct records_found found = {.records = NULL};
	struct buf text = BUF_INIT;
	buf_add(&text, data, size);
	records_read(&text, &found);
	assert(found.good + found.torn <= size);
	if (!found.damage)
		restore(found.records);
	json_decref(found.records);
	free(found.damage);
	buf_free(&text);
	read_summed(data, size);
	return 0;
}
