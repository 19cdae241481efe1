/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl events. */
#include "base/json.h"
#include "ctl/change.h"
#include "ctl/follow.h"
#include "ctl/out.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_drops(struct buf *b, const json_t *drops)
{
	const char *why, *comma = "";
	json_t *count;
	json_object_foreach (json_of(drops), why, count) {
		buf_addf(b, "%s%lld %s", comma, json_integer_value(count), why);
		comma = ", ";
	}
}

static void add_change(struct buf *b, const json_t *event, const json_t *data)
{
	const json_t *uid = json_object_get(event, "uid"),
		     *undoes = json_object_get(data, "undoes");
	buf_addf(b, "revision %lld", integer_of(event, "revision"));
	if (uid)
		buf_addf(b, " by uid %lld", json_integer_value(uid));
	if (undoes)
		buf_addf(b, ", back to %lld", json_integer_value(undoes));
	if (json_object_get(data, "confirm"))
		buf_adds(b, ", to be confirmed");
	if (*text_of(data, "comment")) {
		buf_adds(b, "  # ");
		out_clean(b, text_of(data, "comment"));
	}
}

static void add_resumed(struct buf *b, const json_t *data)
{
	buf_addf(b, "%.3f s behind its checkpoint (%s), waited: ", number_of(data, "gap_s"),
	         text_of(data, "why"));
	out_count(b, number_of(data, "waited"));
}

/* What an event tells beside its name. */
static void add_data(struct buf *b, const json_t *event, const json_t *data)
{
	if (json_object_get(data, "dropped"))
		add_drops(b, json_object_get(data, "dropped"));
	else if (*text_of(data, "message"))
		out_first_line(b, text_of(data, "message"));
	else if (*text_of(data, "state"))
		out_clean(b, text_of(data, "state"));
	else if (json_object_get(data, "gap_s"))
		add_resumed(b, data);
	else if (*text_of(data, "why"))
		out_first_line(b, text_of(data, "why"));
	else if (json_object_get(event, "revision"))
		add_change(b, event, data);
	else if (json_object_get(data, "confirm"))
		buf_adds(b, "to be confirmed");
}

static void show_event(const json_t *event)
{
	struct buf b = BUF_INIT, who = BUF_INIT;
	const json_t *data = json_object_get(event, "data");
	out_clock(&b, text_of(event, "time"), 3);
	out_clean(&who, text_of(event, "engine"));
	if (*text_of(event, "block")) {
		buf_addc(&who, '.');
		out_clean(&who, text_of(event, "block"));
	}
	buf_addf(&b, "  %-16s  %-16s  ", text_of(event, "name"), who.data);
	add_data(&b, event, data);
	buf_addc(&b, '\n');
	if (!strcmp(text_of(event, "name"), "engine.changed"))
		change_show_ops(&b, json_object_get(data, "ops"), NULL, "    ");
	buf_free(&who);
	out_buf(&b);
}

static bool is_wanted(const struct ctl *ctl, const json_t *event)
{
	bool all = true;
	json_each (name, ctl_many(ctl, "only")) {
		if (json_equal(name, json_object_get(event, "name")))
			return true;
		all = false;
	}
	return all;
}

static void told(void *arg, const char *method, json_t *params)
{
	const struct ctl *ctl = arg;
	if (!strcmp(method, "gap"))
		fprintf(stderr, "ptctl: %lld events were lost\n", integer_of(params, "dropped"));
	else if (strcmp(method, "event") != 0 || !is_wanted(ctl, params))
		return;
	else if (ctl->json)
		out_json(params);
	else
		show_event(params);
}

static void show_state(const json_t *state)
{
	struct buf b = BUF_INIT;
	json_each (engine, json_object_get(state, "engines"))
		buf_addf(&b, "%s is %s, revision %lld, blocks: %zu, links: %zu\n",
		         text_of(engine, "engine"), text_of(engine, "state"),
		         integer_of(engine, "revision"),
		         json_array_size(json_object_get(engine, "blocks")),
		         json_array_size(json_object_get(engine, "links")));
	out_buf(&b);
}

int verb_events(struct ctl *ctl)
{
	static const bool never = false;
	struct pt_error err = PT_ERROR_INIT;
	struct pt_client *client = NULL;
	json_t *result = NULL;
	int code = follow_open(ctl, "events.subscribe", ctl_params(ctl), told, ctl, &client,
	                       &result, &err);
	bool first = !code && !ctl_many(ctl, "only");
	if (first && ctl->json)
		out_json(result);
	else if (first)
		show_state(json_object_get(result, "state"));
	json_decref(result);
	if (!code)
		follow(ctl, client, &never, &err);
	pt_client_close(client);
	return ctl_refused(ctl, &err);
}
