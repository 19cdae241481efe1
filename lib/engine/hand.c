/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes into a block by hand: messages, the word that no more come, triggers. */
#include "engine/hand.h"

#include "base/buf.h"
#include "base/error.h"
#include "engine/deliver.h"
#include "engine/engine.h"
#include "engine/request.h"
#include "engine/through.h"
#include "msg/json.h"
#include "msg/pool.h"
#include <errno.h>
#include <stdlib.h>

static bool pick_canal(struct pt_request *r, const struct pt_block *b, enum pt_canal *canal)
{
	*canal = r->canal >= 0                  ? (enum pt_canal)r->canal
	         : b->type->ports & PT_LOW_EXIT ? PT_LOW
	                                        : PT_HIGH;
	if (r->canal >= 0 &&
	    (*canal == PT_TRIGGER || !(b->type->ports & graph_exit_port(*canal)))) {
		char *has = graph_port_words(b->type->ports);
		request_refuse(r, -PT_EPARAM, "canal",
		               "'%s' cannot send on canal '%s': a %s has %s", b->name,
		               canal_name(*canal), b->type->name, has);
		free(has);
		return false;
	}
	return true;
}

struct sending {
	struct pt_msg **messages;
	unsigned count;
};

/* On its own, so that a block which keeps it needs no more memory. */
static int make_message(struct pt_request *r, const json_t *value, char *path, struct sending *s,
                        struct pt_error *err)
{
	size_t before = err->count;
	struct pt_msg *m = msg_from_json(r->engine->pool, value, err);
	int rc = 0;
	if (m && !(m = msg_settle(m)))
		rc = pt_fail(err, -ENOMEM, NULL, "%s", error_words(-ENOMEM));
	if (m)
		s->messages[s->count++] = m;
	else
		error_prefix(err, before, path);
	free(path);
	return m ? 0 : rc ? rc : err->faults[before].code;
}

/* All messages are made before the first is sent: a fault in the last refuses them all. */
static int make_messages(struct pt_request *r, struct sending *s, struct pt_error *err)
{
	json_t *many = r->messages, *one = r->message, *value;
	size_t i;
	int rc = 0;
	if (!many == !one)
		return pt_fail(err, -PT_EPARAM, one ? "messages" : "message",
		               "give either 'message' or 'messages'");
	s->messages = must_calloc(many ? json_array_size(many) : 1, sizeof(struct pt_msg *));
	if (one)
		return make_message(r, one, must_strdup("message"), s, err);
	json_array_foreach (many, i, value) {
		if (rc != -ENOMEM && err->count < ERROR_FAULTS_MAX)
			rc = make_message(r, value, must_printf("messages[%zu]", i), s, err);
	}
	return err->count ? err->faults[0].code : 0;
}

/* What waits in the block: for the engine, or for a sink that is full. */
static json_t *waiting_result(const struct pt_block *b)
{
	uint64_t waiting = b->count.held;
	return waiting ? json_pack("{s:I, s:s}", "waiting", (json_int_t)waiting, "state",
	                           engine_state_word(b->engine))
	               : NULL;
}

static void send_all(struct pt_request *r, struct pt_block *b, enum pt_canal canal)
{
	struct sending s = {.count = 0};
	struct pt_error err = PT_ERROR_INIT;
	int rc = make_messages(r, &s, &err);
	if (rc)
		msg_unref_many(s.messages, s.count);
	else if (s.count)
		rc = b->type->feed(b, canal, s.messages, s.count, &err);
	if (rc)
		request_answer(r, rc, NULL, &err);
	else if (r->wait && through_begin(r->engine, r))
		request_wait(r);
	else
		hand_sent(r, b);
	pt_error_clear(&err);
	free(s.messages);
}

void hand_sent(struct pt_request *r, const struct pt_block *b)
{
	cut_answer(r, waiting_result(b));
}

void hand_send(struct pt_request *r)
{
	struct pt_block *b = request_block(r);
	enum pt_canal canal;
	if (!b)
		return;
	if (!b->type->feed)
		request_refuse(
			r, -PT_ESTATE, "block",
			"'%s' is a %s, which takes no messages by hand; send to a CLIFeeder, a "
			"CLIHighFeeder or an AutoSource",
			b->name, b->type->name);
	else if (pick_canal(r, b, &canal))
		send_all(r, b, canal);
}

/* What was delivered was not, after all. */
static void give_back(struct pt_block *b, const json_t *item)
{
	const char *word = json_string_value(json_object_get(item, "canal"));
	enum pt_canal canal = PT_LOW;
	struct pt_msg *m = msg_from_json(b->engine->pool, item, NULL);
	block_count_out(b, (uint64_t)-1);
	if (!m) {
		block_count_drop(b, "memory", 1);
		return;
	}
	if (word)
		canal_parse(word, &canal);
	b->type->give_back(b, canal, m);
}

void hand_give_back(struct pt_request *r)
{
	struct pt_block *b = request_block(r);
	if (!b)
		return;
	for (size_t i = json_array_size(r->messages); i-- > 0 && b->type->give_back;)
		give_back(b, json_array_get(r->messages, i));
	cut_answer(r, NULL);
}

void hand_close(struct pt_request *r)
{
	struct pt_block *b = request_block(r);
	if (!b)
		return;
	if (!b->type->finish) {
		request_refuse(
			r, -PT_ESTATE, "block",
			"'%s' is a %s, which cannot be closed by hand; feeders and TCP pipes can",
			b->name, b->type->name);
		return;
	}
	b->type->finish(b);
	cut_answer(r, NULL);
}

void hand_trigger(struct pt_request *r)
{
	struct pt_block *b = request_block(r);
	if (!b)
		return;
	if (!(b->type->ports & PT_TRIGGER_ENTRY)) {
		request_refuse(r, -PT_ESTATE, "block", "'%s' is a %s, which has no trigger entry",
		               b->name, b->type->name);
		return;
	}
	if (!b->started) {
		request_refuse(r, -PT_ESTATE, "engine", "engine '%s' is stopped: start it first",
		               r->engine->name);
		return;
	}
	deliver_trigger(b);
	cut_answer(r, NULL);
}
