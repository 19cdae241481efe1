/* SPDX-License-Identifier: BSD-2-Clause */
/* Rounds of all blocks that have to be waited for. */
#include "engine/through.h"

#include "engine/engine.h"

static bool is_waited_for(const struct pt_block *b)
{
	return b->started && (b->type->elsewhere || b->type->feed);
}

/* What has come into it, or was fed to it: in order, as it goes out. */
static uint64_t came(const struct pt_block *b)
{
	return b->type->elsewhere ? b->count.entered : b->count.made;
}

/* A trigger is not counted: it is under way where nothing is held and the block is busy still. */
static bool has_passed(const struct pt_block *b, uint64_t mark)
{
	return came(b) - b->count.held >= mark && (b->count.held || !b->busy);
}

static bool have_passed(const struct pt_engine *e, bool all)
{
	for (unsigned i = 0; i < e->graph->count; i++) {
		const struct pt_block *b = e->graph->blocks[i]->alive;
		if (is_waited_for(b) && !has_passed(b, all ? came(b) : b->mark))
			return false;
	}
	return true;
}

static bool sink_is_full(const struct pt_engine *e)
{
	const struct pt_block *b;
	TAILQ_FOREACH (b, &e->flow.full, full_links)
		if (!b->type->elsewhere)
			return true;
	return false;
}

static void begin_round(struct pt_engine *e)
{
	e->round++;
	for (unsigned i = 0; i < e->graph->count; i++) {
		struct pt_block *b = e->graph->blocks[i]->alive;
		b->mark = came(b);
	}
}

static bool somebody_waits(const struct pt_engine *e)
{
	const struct pt_request *r = TAILQ_FIRST(&e->waiting);
	while (r && r->verb != PT_VERB_SEND)
		r = TAILQ_NEXT(r, entry);
	return r;
}

/* One for each block that may stand in the way. */
static unsigned rounds_of(const struct pt_engine *e)
{
	unsigned count = 0;
	for (unsigned i = 0; i < e->graph->count; i++) {
		const struct pt_block *b = e->graph->blocks[i]->alive;
		count += b->type->elsewhere || (b->type->feed && b->count.held);
	}
	return count;
}

static bool is_over(const struct pt_engine *e)
{
	return e->state == PT_STOPPED || have_passed(e, true) || sink_is_full(e);
}

/* A round that is under way has begun before. */
bool through_begin(struct pt_engine *e, struct pt_request *r)
{
	if (is_over(e))
		return false;
	bool under_way = somebody_waits(e);
	if (!under_way)
		begin_round(e);
	r->round = e->round + under_way + rounds_of(e);
	return true;
}

void through_settle(struct pt_engine *e)
{
	if (somebody_waits(e) && have_passed(e, false))
		begin_round(e);
}

bool through_is_over(const struct pt_engine *e, const struct pt_request *r)
{
	return e->round >= r->round || is_over(e);
}
