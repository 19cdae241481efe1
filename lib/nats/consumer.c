/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds it, or makes it. */
#include "nats/consumer.h"

#include "base/buf.h"
#include "base/json.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

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

static int make_consumer(const struct consumer *c, char **answer, char **words)
{
	json_t *config = json_pack("{s:s, s:s, s:s, s:I, s:s*}", "durable_name", c->name,
	                           "ack_policy", "explicit", "deliver_policy", "all", "ack_wait",
	                           (json_int_t)CONSUMER_WAIT_NS, "filter_subject", c->subject);
	json_t *request = json_pack("{s:s, s:o}", "stream_name", c->stream, "config", config);
	char *text = json_dumps(request, JSON_COMPACT);
	int rc = ask(c, "DURABLE.CREATE", text, answer, words);
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

int consumer_find(const struct consumer *c, struct pt_error *err)
{
	char *answer = NULL, *words = NULL;
	int rc = ask(c, "INFO", "", &answer, &words);
	if (rc == NO_CONSUMER) {
		free(answer);
		free(words);
		answer = words = NULL;
		rc = make_consumer(c, &answer, &words);
	}
	rc = rc ? no_consumer(c, rc, words, err) : check_consumer(c, answer, err);
	free(answer);
	free(words);
	return rc;
}

void consumer_look(const struct consumer *c)
{
	char *answer = NULL, *words = NULL;
	ask(c, "INFO", "", &answer, &words);
	free(answer);
	free(words);
}
