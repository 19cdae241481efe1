/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and the messages, until somebody has them. */
#include "daemon/held.h"

#include "base/buf.h"
#include <stdlib.h>

struct held {
	struct engines *engines;
	char *engine;
	json_t *params; /* of the engine's give_back */
};

struct held *held_new(struct engines *engines, const char *engine, const char *block,
                      const json_t *messages)
{
	struct held *h = must_calloc(1, sizeof *h);
	h->engines = engines;
	h->engine = must_strdup(engine);
	h->params = json_object();
	json_object_set_new(h->params, "block", json_string(block));
	json_object_set(h->params, "messages", (json_t *)(uintptr_t)messages);
	return h;
}

void held_free(struct held *h)
{
	if (!h)
		return;
	json_decref(h->params);
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
	if (engine)
		engines_ask(engine, "give_back", h->params, NULL, 0, given_back, NULL);
	held_free(h);
}
