/* SPDX-License-Identifier: BSD-2-Clause */
/* What became of everything that `ptctl run` moved. */
#include "ctl/account.h"

#include "base/json.h"
#include "base/near.h"
#include "ctl/out.h"
#include "type/reason.h"
#include <stdlib.h>
#include <string.h>

enum { PLACES_MAX = 8 };

/* Calls `each` for every reason of every block that lost something. */
static void each_loss(const json_t *stats,
                      void (*each)(void *, const char *why, const char *block, double count),
                      void *arg)
{
	json_t *count;
	const char *why;
	json_each (block, json_object_get(stats, "blocks")) {
		const char *name = json_string_value(json_object_get(block, "name"));
		double deep = json_number_value(json_object_get(block, "triggers_dropped"));
		json_object_foreach (json_object_get(block, "dropped"), why, count)
			each(arg, why, name, json_number_value(count));
		if (deep > 0)
			each(arg, "too-deep", name, deep);
	}
}

/* ---- the line ---- */

struct places {
	struct buf *out;
	unsigned count;
};

static void add_place(void *arg, const char *why, const char *block, double count)
{
	struct places *p = arg;
	if (p->count++ >= PLACES_MAX)
		return;
	buf_adds(p->out, p->count > 1 ? ", " : " (");
	out_count(p->out, count);
	buf_addf(p->out, " %s at %s", why, block);
}

static double total_of(const json_t *stats, const char *what)
{
	return json_number_value(json_object_get(json_object_get(stats, "total"), what));
}

static void add_total(struct buf *b, const json_t *stats, const char *what)
{
	buf_adds(b, b->length ? ", " : "");
	out_count(b, total_of(stats, what));
	buf_addf(b, " %s", what);
}

/* What queues still hold was printed: this goes with the engine. */
static void add_held(struct buf *b, const json_t *stats)
{
	json_each (block, json_object_get(stats, "blocks")) {
		double held = json_number_value(json_object_get(block, "held"));
		if (held <= 0)
			continue;
		buf_adds(b, ", ");
		out_count(b, held);
		buf_addf(b, " held at %s", json_string_value(json_object_get(block, "name")));
	}
}

void account_line(const json_t *stats, struct buf *b)
{
	struct places places = {.out = b};
	add_total(b, stats, "in");
	add_total(b, stats, "out");
	if (total_of(stats, "filtered") > 0)
		add_total(b, stats, "filtered");
	if (total_of(stats, "dropped") > 0)
		add_total(b, stats, "dropped");
	each_loss(stats, add_place, &places);
	if (places.count > PLACES_MAX)
		buf_addf(b, ", and at %u more", places.count - PLACES_MAX);
	buf_adds(b, places.count ? ")" : "");
	add_held(b, stats);
}

/* ---- the verdict ---- */

static size_t word_length(const char *list)
{
	return strcspn(list, ",");
}

static bool is_listed(const char *list, const char *word)
{
	for (size_t length; *list; list += length + (list[length] == ',')) {
		length = word_length(list);
		if (length == strlen(word) && !strncmp(list, word, length))
			return true;
	}
	return false;
}

struct verdict {
	const char *allowed;
	bool lost;
};

static void judge(void *arg, const char *why, const char *block, double count)
{
	struct verdict *v = arg;
	v->lost |= !is_listed(v->allowed, why);
}

bool account_has_losses(const json_t *stats, const json_t *allowed)
{
	struct verdict v = {.allowed = json_is_string(allowed) ? json_string_value(allowed) : ""};
	if (!json_is_true(allowed))
		each_loss(stats, judge, &v);
	return v.lost;
}

/* A block may have a word of its own: what looks like none of ours is taken for that. */
static int check_word(const char *word, struct pt_error *err)
{
	struct near near = near_init(word);
	for (const struct reason *r = reasons; r->word; r++) {
		if (!strcmp(r->word, word) && !r->filtered)
			return 0;
		if (!strcmp(r->word, word))
			return pt_fail(err, -PT_EREQUEST, "allow_drops",
			               "'%s' is filtered, not dropped: it needs no leave", word);
		near_try(&near, r->word);
	}
	if (!*word)
		return pt_fail(
			err, -PT_EREQUEST, "allow_drops",
			"'--allow-drops=' needs reasons, as in --allow-drops=overflow,kernel");
	if (near_best(&near))
		return pt_fail(err, -PT_EREQUEST, "allow_drops",
		               "no reason '%s'%s 'ptctl help reasons' lists them", word,
		               near_say(&near, ""));
	return 0;
}

int account_check(const json_t *allowed, struct pt_error *err)
{
	const char *list = json_string_value(allowed);
	int code = 0;
	while (list && !code) {
		size_t length = word_length(list);
		char *word = must_printf("%.*s", (int)length, list);
		code = check_word(word, err);
		free(word);
		list = list[length] ? list + length + 1 : NULL;
	}
	return code;
}
