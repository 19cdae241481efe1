/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and the messages, until somebody has them. */
#include "daemon/held.h"

#include "base/buf.h"
#include <stdlib.h>

struct held {
	struct engines *engines;
	char *engine;
	struct ask *ask; /* that gives them back */
};

struct held *held_new(struct engines *engines, const char *engine, const char *block,
                      json_t *messages)
{
	struct held *h = must_calloc(1, sizeof *h);
	h->engines = engines;
	h->engine = must_strdup(engine);
	h->ask = ask_new(PT_VERB_GIVE_BACK);
	h->ask->request.block = must_strdup(block);
	h->ask->request.messages = json_incref(messages);
	return h;
}

void held_free(struct held *h)
{
	if (!h)
		return;
	if (h->ask)
		ask_free(h->ask);
	free(h->engine);
	free(h);
}

static void given_back(void *arg, int code, json_t *result, struct pt_error *err)
{
	/* where the block has gone meanwhile, so have they */
}

void held_give_back(struct held *h)
{
	struct engine *engine = h ? engines_find(h->engines, h->engine, NULL) : NULL;
	if (engine) {
		ask_put(h->ask, engine, given_back, NULL);
		h->ask = NULL;
	}
	held_free(h);
}
