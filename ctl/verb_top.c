/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl top. */
#include "base/buf.h"
#include "ctl/out.h"
#include "ctl/top.h"
#include <string.h>

const struct pt_param top_rows[] = {
	{"engine", "Its blocks; without it, every engine.", PT_KIND_STRING},
	{"batch", "Rounds as text, as wide as it needs, also on a terminal.", PT_KIND_BOOL,
         .flags = PT_OPTION, .letter = 'b'},
	{"rounds", "End after so many.", PT_KIND_INT, .flags = PT_OPTION, .min = 1, .letter = 'n'},
	{"delay", "How long from one round to the next.", PT_KIND_SECONDS, .flags = PT_OPTION,
         .letter = 'd', .fallback = "1", .min = 0.1, .max = 1e6},
	{"sort", "What comes first.", PT_KIND_CHOICE, .flags = PT_OPTION, .choices = top_keys},
	{NULL},
};

static enum top_key key_of(const char *word)
{
	enum top_key key = TOP_RATE;
	while (word && strcmp(top_keys[key], word))
		key++;
	return key;
}

int verb_top(struct ctl *ctl)
{
	const json_t *delay = json_object_get(ctl->values, "delay");
	const json_t *rounds = json_object_get(ctl->values, "rounds");
	const char *engine = ctl_text(ctl, "engine");
	struct top t = {
		.ctl = ctl,
		.engine = engine ? must_strdup(engine) : NULL,
		.key = key_of(ctl_text(ctl, "sort")),
	};
	bool plain = ctl->json || ctl_flag(ctl, "batch") || !out_is_terminal();
	int status = (plain ? top_print : top_screen)(&t, delay ? json_number_value(delay) : 1,
	                                              rounds ? json_integer_value(rounds) : -1);
	top_fini(&t);
	return status;
}
