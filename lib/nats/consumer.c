/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds it, makes it, and says who reads it. */
#include "nats/consumer.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/sip.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOT_NOW     10008 /* its servers do not know who leads */
#define NO_CONSUMER 10014
#define NO_STREAM   10059

static int no_consumer(const struct consumer *c, int rc, const char *words, struct pt_error *err)
{
	if (rc == -ENOENT) {
		pt_fail(err, -PT_EIO, "url", "the server has no JetStream");
		pt_hint(err, "turn it on there: it is what keeps messages");
	} else if (rc == -EPERM) {
		pt_fail(err, -PT_EIO, "consumer",
		        "the server does not let us use consumer '%s' of '%s', or hear of it",
		        c->name, c->stream);
	} else if (rc == NO_STREAM) {
		pt_fail(err, -PT_EIO, "stream", "there is no stream '%s'", c->stream);
		pt_hint(err, "make it: nats stream add");
	} else if (rc == -EAGAIN) {
		return rc;
	} else {
		pt_fail(err, -PT_EIO, "consumer", "consumer '%s' of '%s': %s", c->name, c->stream,
		        words);
	}
	if (rc == NOT_NOW)
		return -EAGAIN;
	return -PT_EIO;
}

/* 0 and what is said; or a code: below 0 as bus_ask has it, above as the server. */
static int ask(const struct consumer *c, const char *verb, const char *text, char **answer,
               char **words)
{
	char *subject = must_printf("$JS.API.CONSUMER.%s.%s.%s", verb, c->stream, c->name);
	int rc = bus_ask(c->bus, subject, NULL, text, answer);
	if (!rc)
		rc = bus_fault(*answer, strlen(*answer), words);
	free(subject);
	return rc;
}

/* Of the consumer that there was, or the first one. */
static json_t *config_of(const struct consumer *c, uint64_t after)
{
	json_t *config =
		c->config ? json_copy(c->config)
			  : json_pack("{s:s, s:s, s:I, s:s*}", "durable_name", c->name,
	                              "ack_policy", "explicit", "ack_wait",
	                              (json_int_t)CONSUMER_WAIT_NS, "filter_subject", c->subject);
	json_object_set_new(config, "description", json_string(c->mark));
	json_object_set_new(config, "deliver_policy",
	                    json_string(after ? "by_start_sequence" : "all"));
	json_object_del(config, "opt_start_time");
	json_object_del(config, "opt_start_seq");
	if (after)
		json_object_set_new(config, "opt_start_seq", json_integer((json_int_t)after + 1));
	return config;
}

/* Makes it, or changes what can be changed. Takes the configuration. */
static int put_consumer(struct consumer *c, json_t *config, char **answer, char **words)
{
	json_t *request = json_pack("{s:s, s:o}", "stream_name", c->stream, "config", config);
	char *text = json_dumps(request, JSON_COMPACT);
	int rc = ask(c, "DURABLE.CREATE", text, answer, words);
	if (!rc) {
		json_decref(c->config);
		c->config = json_incref(config);
	}
	json_decref(request);
	free(text);
	return rc;
}

/* Somebody else may have made it, for another use. */
static int check_consumer(const struct consumer *c, const char *answer, struct pt_error *err)
{
	json_t *said = json_loads(answer, 0, NULL);
	const json_t *config = json_object_get(said, "config");
	bool fits = !strcmp(text_of(config, "ack_policy"), "explicit") &&
	            !*text_of(config, "deliver_subject");
	json_decref(said);
	if (fits)
		return 0;
	return pt_fail(err, -PT_EIO, "consumer",
	               "consumer '%s' of '%s' is none that is asked (pull), with explicit "
	               "acknowledgements; name another one",
	               c->name, c->stream);
}

/* What the server says of it, or -ENOENT: it has none. */
static int inform(struct consumer *c, json_t **info, struct pt_error *err)
{
	char *answer = NULL, *words = NULL;
	int rc = ask(c, "INFO", "", &answer, &words);
	if (rc && rc != NO_CONSUMER)
		rc = no_consumer(c, rc, words, err);
	else if (!rc)
		rc = check_consumer(c, answer, err);
	if (!rc) {
		*info = json_loads(answer, 0, NULL);
		json_decref(c->config);
		c->config = json_deep_copy(json_object_get(*info, "config"));
	}
	free(answer);
	free(words);
	return rc;
}

static int make(struct consumer *c, json_t *config, struct pt_error *err)
{
	char *answer = NULL, *words = NULL;
	int rc = put_consumer(c, config, &answer, &words);
	if (rc)
		rc = no_consumer(c, rc, words, err);
	free(answer);
	free(words);
	return rc;
}

int consumer_find(struct consumer *c, uint64_t after, struct pt_error *err)
{
	json_t *info = NULL;
	int rc = inform(c, &info, err);
	json_decref(info);
	if (rc == NO_CONSUMER)
		rc = after ? 0 : make(c, config_of(c, 0), err);
	return rc;
}

int consumer_look(const struct consumer *c)
{
	char *answer = NULL, *words = NULL;
	int rc = ask(c, "INFO", "", &answer, &words);
	free(answer);
	free(words);
	return rc;
}

/* ---- the stream ---- */

static uint64_t sum_of_text(const char *text)
{
	return sip_hash((const uint64_t[2]){0, 0}, text, strlen(text));
}

/* Whether it can be read again from any place, and the one that was asked for is still that. */
static void compare(struct claim *claim, const json_t *said, bool *goes_back)
{
	const json_t *config = json_object_get(said, "config");
	uint64_t last = (uint64_t)integer_of(json_object_get(said, "state"), "last_seq");
	uint64_t stream = sum_of_text(text_of(said, "created"));
	bool one_copy = integer_of(config, "num_replicas") < 2;
	*goes_back = !strcmp(text_of(config, "retention"), "limits");
	claim->anew = true;
	if (claim->stream && claim->stream != stream)
		claim->after = 0;
	else if (one_copy && last < claim->after)
		claim->after = last;
	else
		claim->anew = false;
	claim->stream = stream;
}

static int ask_of_stream(const struct consumer *c, struct claim *claim, bool *goes_back,
                         struct pt_error *err)
{
	char *answer = NULL, *words = NULL;
	char *subject = must_printf("$JS.API.STREAM.INFO.%s", c->stream);
	int rc = bus_ask(c->bus, subject, NULL, "", &answer);
	if (!rc)
		rc = bus_fault(answer, strlen(answer), &words);
	json_t *said = rc ? NULL : json_loads(answer, 0, NULL);
	*goes_back = false;
	if (said)
		compare(claim, said, goes_back);
	else if (rc == -EPERM)
		rc = 0;
	else
		rc = no_consumer(c, rc, words, err);
	json_decref(said);
	free(subject);
	free(answer);
	free(words);
	return rc;
}

/* ---- who reads it ---- */

#define MARK    "pipetool: "
#define NOBODY  MARK "read by nobody"
#define SEVERAL MARK "read by several"

static bool is_idle(const json_t *info)
{
	return !integer_of(info, "num_ack_pending") && !integer_of(info, "num_waiting");
}

static bool is_mine(const struct consumer *c)
{
	return !strcmp(text_of(c->config, "description"), c->mark);
}

/* Whoever was its reader and has ended without a word leaves it marked, and idle once all that it
   had is given to another. */
static bool may_be_mine(const struct consumer *c, const struct claim *claim, const json_t *info)
{
	const char *mark = text_of(c->config, "description");
	if (is_mine(c) || !strcmp(mark, NOBODY))
		return true;
	bool known = !*mark || !strncmp(mark, MARK, strlen(MARK));
	return claim->first && known && is_idle(info);
}

static bool has_start(const struct consumer *c)
{
	return strncmp(text_of(c->config, "deliver_policy"), "last", 4) != 0;
}

/* 0, -EAGAIN, or -EPERM: it stays as it is. */
static int set_mark(struct consumer *c, const char *mark)
{
	char *answer = NULL, *words = NULL;
	json_t *config = json_copy(c->config);
	json_object_set_new(config, "description", json_string(mark));
	int rc = put_consumer(c, config, &answer, &words);
	free(answer);
	free(words);
	return rc && rc != -EAGAIN ? -EPERM : rc;
}

static int make_anew(struct consumer *c, struct claim *claim, struct pt_error *err)
{
	char *answer = NULL, *words = NULL;
	int rc = ask(c, "DELETE", "", &answer, &words);
	if (rc == NO_CONSUMER)
		rc = 0;
	else if (rc && rc != -EPERM)
		rc = no_consumer(c, rc, words, err);
	free(answer);
	free(words);
	claim->next = 1;
	return rc ? rc : make(c, config_of(c, claim->after), err);
}

/* All up to this number is acknowledged, or before its beginning: for 2.9 says 0 until the first is
   acknowledged. */
static uint64_t floor_of(const struct consumer *c, const json_t *info)
{
	const json_t *given = json_object_get(info, "delivered");
	uint64_t floor = (uint64_t)integer_of(json_object_get(info, "ack_floor"), "stream_seq");
	uint64_t up_to = (uint64_t)integer_of(given, "stream_seq");
	uint64_t start = (uint64_t)integer_of(c->config, "opt_start_seq");
	if (!integer_of(given, "consumer_seq"))
		return up_to;
	if (floor || !start)
		return floor;
	return start - 1 < up_to ? start - 1 : up_to;
}

/* What is on its way, or was given behind the place, would come late, or not again. -EPERM: the
   server lets nobody have it alone. */
static int take(struct consumer *c, struct claim *claim, const json_t *info, struct pt_error *err)
{
	const json_t *given = json_object_get(info, "delivered");
	uint64_t floor = floor_of(c, info);
	if (!claim->after || (!is_mine(c) && claim->after < floor))
		claim->after = floor;
	if (integer_of(info, "num_ack_pending") ||
	    (uint64_t)integer_of(given, "stream_seq") > claim->after)
		return make_anew(c, claim, err);
	claim->next = (uint64_t)integer_of(given, "consumer_seq") + 1;
	return is_mine(c) ? 0 : set_mark(c, c->mark);
}

static int share(struct consumer *c)
{
	const char *mark = text_of(c->config, "description");
	bool known = !strncmp(mark, MARK, strlen(MARK)) && strcmp(mark, SEVERAL) != 0;
	return known && set_mark(c, SEVERAL) == -EAGAIN ? -EAGAIN : 0;
}

#define MUTE_NS UINT64_C(15000000000) /* an election takes less */

/* Its servers do not find together again, as those of 2.9 at times. */
static bool is_mute(struct claim *claim, int rc)
{
	uint64_t now = clock_ns();
	if (rc != -EAGAIN)
		claim->mute_ns = 0;
	else if (!claim->mute_ns)
		claim->mute_ns = now;
	return claim->mute_ns && now - claim->mute_ns >= MUTE_NS;
}

int consumer_claim(struct consumer *c, struct claim *claim, struct pt_error *err)
{
	json_t *info = NULL;
	bool goes_back;
	int rc = ask_of_stream(c, claim, &goes_back, err);
	if (rc) {
		claim->mute_ns = 0;
		return rc;
	}
	rc = inform(c, &info, err);
	claim->alone = is_mute(claim, rc) && goes_back && !claim->first && c->config && is_mine(c);
	if (claim->alone)
		return make_anew(c, claim, err);
	if (rc == NO_CONSUMER)
		rc = make(c, config_of(c, claim->after), err);
	if (!rc && !info)
		rc = inform(c, &info, err);
	if (rc)
		return rc == NO_CONSUMER ? -EAGAIN : rc;
	claim->alone = goes_back && has_start(c) && may_be_mine(c, claim, info);
	if (claim->alone)
		rc = take(c, claim, info, err);
	claim->alone &= rc != -EPERM;
	if (!claim->alone)
		rc = share(c);
	json_decref(info);
	return rc;
}

void consumer_let_go(struct consumer *c)
{
	json_t *info = NULL;
	struct pt_error err = PT_ERROR_INIT;
	if (!inform(c, &info, &err) && is_mine(c))
		set_mark(c, NOBODY);
	json_decref(info);
	pt_error_clear(&err);
}

/* ---- life ---- */

static char *mark_of(const struct pt_block *b, const char *name)
{
	char host[256] = "";
	gethostname(host, sizeof host - 1);
	char *who = must_printf("%s %s %s %s %s", host, pt_place_of(b), pt_engine_of(b), pt_name(b),
	                        name);
	char *mark = must_printf(MARK "read by %s-%s of %s alone (%016" PRIx64 ")", pt_engine_of(b),
	                         pt_name(b), host, sum_of_text(who));
	free(who);
	return mark;
}

void consumer_init(struct consumer *c, const struct pt_block *b, const char *stream,
                   const char *name, const char *subject)
{
	c->stream = must_strdup(stream);
	c->name = must_strdup(name);
	c->subject = subject ? must_strdup(subject) : NULL;
	c->mark = mark_of(b, name);
}

void consumer_fini(struct consumer *c)
{
	json_decref(c->config);
	free(c->stream);
	free(c->name);
	free(c->subject);
	free(c->mark);
}
