/* SPDX-License-Identifier: BSD-2-Clause */
/* The fields that a type says it carries: moved to a successor, and over a restart. */
#include "engine/carry.h"

#include "engine/engine.h"
#include <pipetool/queue.h>
#include <string.h>

#define FOR_EACH_ROW(row, type) \
	for (const struct pt_carried *row = (type)->carries; row && row->name; row++)

static void *field(const struct pt_block *b, const struct pt_carried *row)
{
	return (uint8_t *)b->state + row->offset;
}

static bool is_queue(const struct pt_carried *row)
{
	return row->kind == PT_CARRIED_QUEUE;
}

/* Bytes that are told for a restart. */
static bool is_told(const struct pt_carried *row)
{
	return !is_queue(row) && !(row->flags & PT_ALIVE);
}

bool carry_is_of(const struct pt_type *type)
{
	FOR_EACH_ROW(row, type)
	if (is_queue(row) || is_told(row))
		return true;
	return type->carry;
}

void carry_rows(struct pt_block *b, struct pt_carry *carry)
{
	FOR_EACH_ROW(row, b->type)
	{
		if (is_queue(row))
			pt_queue_carry(b, field(b, row), carry);
		else if (is_told(row) && b->started && pt_carry_to(carry) != PT_TO_SUCCESSOR)
			pt_carry_bytes(carry, row->name, field(b, row), row->size);
	}
}

/* ---- to a successor ---- */

/* The messages in the queue. */
static size_t move(struct pt_block *fresh, struct pt_block *old)
{
	size_t count = 0;
	FOR_EACH_ROW(row, old->type)
	{
		memcpy(field(fresh, row), field(old, row), row->size);
		if (!is_queue(row))
			continue;
		count = ((struct pt_queue *)field(fresh, row))->count;
		memset(field(old, row), 0, row->size);
	}
	return count;
}

size_t carry_over(struct pt_block *fresh, struct pt_block *old)
{
	const struct pt_type *type = fresh->type;
	if (old->type != type)
		return 0;
	size_t count = move(fresh, old);
	fresh->goes_on = old->started && type->carries;
	if (type->take_over)
		type->take_over(fresh, old);
	return count;
}

/* ---- from an earlier daemon ---- */

void carry_begin(struct pt_block *b)
{
	FOR_EACH_ROW(row, b->type)
	{
		struct pt_queue *queue = is_queue(row) ? field(b, row) : NULL;
		if (!queue)
			continue;
		queue->goes_back = true;
		pt_queue_carried(b, queue);
	}
}

static const void *carried(struct pt_block *b, const struct pt_carried *row)
{
	size_t length;
	const void *bytes = pt_carried_bytes(b, row->name, &length);
	if (bytes && length != row->size)
		carry_set_damaged(b->carried);
	return bytes && length == row->size ? bytes : NULL;
}

/* All of them, or it begins anew. */
static bool fill(struct pt_block *b)
{
	bool any = false;
	FOR_EACH_ROW(row, b->type)
	{
		if (is_told(row) && !carried(b, row))
			return false;
		any |= is_told(row);
	}
	FOR_EACH_ROW(row, b->type)
	if (is_told(row))
		memcpy(field(b, row), carried(b, row), row->size);
	return any;
}

void carry_start(struct pt_block *b)
{
	carry_begin(b);
	if (b->carried && pt_carry_to(b->carried) != PT_TO_SUCCESSOR)
		b->goes_on = fill(b);
}

bool pt_goes_on(const struct pt_block *b)
{
	return b->goes_on;
}

/* ---- the end, and what is told meanwhile ---- */

void carry_clear(struct pt_block *b)
{
	FOR_EACH_ROW(row, b->type)
	if (is_queue(row))
		pt_queue_clear(field(b, row));
}

json_t *carry_show(struct pt_block *b)
{
	json_t *shown = b->type->describe ? b->type->describe(b) : NULL;
	FOR_EACH_ROW(row, b->type)
	{
		if (!(row->flags & PT_SHOWN))
			continue;
		const void *at = field(b, row);
		shown = shown ? shown : json_object();
		json_object_set_new(shown, row->name,
		                    row->kind == PT_CARRIED_BOOL
		                            ? json_boolean(*(const bool *)at)
		                            : json_integer(*(const int64_t *)at));
	}
	return shown;
}
