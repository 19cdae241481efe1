/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions to servers, each with an inbox of its own. */
#include "nats/bus.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include <errno.h>
#include <jansson.h>
#include <nats/nats.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS   20
#define FLUSH_MS  2000
#define ANSWER_NS UINT64_C(5000000000)

#define NO_SUCH_STREAM  "pipetool.asks" /* a name that none can have */
#define ANOTHER_STREAM  10060           /* what is said then */
#define NOT_FOR_ACCOUNT 10039

static natsStatus put(natsConnection *nc, const char *subject, const char *inbox,
                      const char *only_in, const char *text)
{
	natsMsg *m = NULL;
	natsStatus s = natsMsg_Create(&m, subject, inbox, text, (int)strlen(text));
	if (s == NATS_OK && only_in)
		s = natsMsgHeader_Set(m, "Nats-Expected-Stream", only_in);
	if (s == NATS_OK)
		s = natsConnection_PublishMsg(nc, m);
	natsMsg_Destroy(m);
	return s == NATS_OK ? natsConnection_FlushTimeout(nc, FLUSH_MS) : s;
}

/* What is forbidden is told beside the answers, and nothing comes then. */
static int await(struct bus *bus, natsSubscription *sub, char **answer)
{
	uint64_t until = clock_ns() + ANSWER_NS;
	while (bus_is_up(bus) && clock_ns() < until) {
		natsMsg *m = NULL;
		natsStatus s = natsSubscription_NextMsg(&m, sub, LOOK_MS);
		if (s == NATS_OK)
			*answer = must_printf("%.*s", natsMsg_GetDataLength(m), natsMsg_GetData(m));
		natsMsg_Destroy(m);
		if (s == NATS_OK || s == NATS_NO_RESPONDERS)
			return s == NATS_OK ? 0 : -ENOENT;
		char *denied = bus_denied(bus);
		free(denied);
		if (denied || s == NATS_NOT_PERMITTED)
			return -EPERM;
		if (s != NATS_TIMEOUT)
			break;
	}
	return -EAGAIN;
}

int bus_ask(struct bus *bus, const char *subject, const char *only_in, const char *text,
            char **answer)
{
	natsConnection *nc = bus_connection(bus);
	natsInbox *inbox = NULL;
	natsSubscription *sub = NULL;
	free(bus_denied(bus));
	natsStatus s = natsInbox_Create(&inbox);
	if (s == NATS_OK)
		s = natsConnection_SubscribeSync(&sub, nc, inbox);
	if (s == NATS_OK)
		s = put(nc, subject, inbox, only_in, text);
	int rc = s == NATS_OK ? await(bus, sub, answer) : -EAGAIN;
	natsSubscription_Destroy(sub);
	natsInbox_Destroy(inbox);
	return rc;
}

int bus_fault(const char *answer, size_t length, char **words)
{
	json_t *said = json_loadb(answer, length, 0, NULL);
	const json_t *error = json_object_get(said, "error");
	int code = (int)integer_of(error, "err_code");
	if (!code && (error || !said))
		code = -1;
	*words = code ? must_strdup(said ? text_of(error, "description") : "no JSON") : NULL;
	json_decref(said);
	return code;
}

/* Nobody takes it: there is no stream, or nothing that streams could be in. */
static int explain(struct bus *bus, const char *subject, struct pt_error *err)
{
	char *answer = NULL, *words = NULL;
	int rc = bus_ask(bus, "$JS.API.INFO", NULL, "", &answer);
	bool none = rc == -ENOENT;
	if (!rc)
		none = bus_fault(answer, strlen(answer), &words) == NOT_FOR_ACCOUNT;
	free(answer);
	free(words);
	if (none) {
		pt_fail(err, -PT_EIO, "url", "the server has no JetStream%s",
		        rc ? "" : " for this account");
		pt_hint(err, "turn it on there: it is what keeps messages");
		return -PT_EIO;
	}
	pt_fail(err, -PT_EIO, "subject", "no stream takes '%s'", subject);
	pt_hint(err, "make one that has the subject: nats stream add");
	return -PT_EIO;
}

static int probe(struct bus *bus, const char *subject, struct pt_error *err)
{
	char *answer = NULL, *words = NULL;
	int rc = bus_ask(bus, subject, NO_SUCH_STREAM, "", &answer);
	if (rc == -ENOENT)
		return explain(bus, subject, err);
	if (rc == -EPERM)
		return pt_fail(err, -PT_EIO, "subject",
		               "the server does not let us publish to '%s', or hear of it",
		               subject);
	if (rc && bus_is_up(bus))
		return pt_fail(err, -PT_EIO, "subject",
		               "nobody acknowledges '%s': who listens there is no stream, or one "
		               "with no_ack",
		               subject);
	int code = rc ? 0 : bus_fault(answer, strlen(answer), &words);
	if (code && code != ANOTHER_STREAM)
		rc = pt_fail(err, -PT_EIO, "subject", "the stream of '%s' refuses: %s", subject,
		             words);
	free(answer);
	free(words);
	return rc;
}

int bus_probe(struct bus *bus, char *const *subjects, struct pt_error *err)
{
	int rc = 0;
	for (; *subjects && !rc; subjects++)
		rc = probe(bus, *subjects, err);
	return rc;
}
