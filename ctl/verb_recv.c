/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl recv. */
#include "base/clock.h"
#include "base/json.h"
#include "ctl/follow.h"
#include "ctl/out.h"
#include "ctl/received.h"

/* Messages in one answer: more and more, as long as the answers stay small; on a terminal one,
   since each may be refused, and then stays in the queue. */
enum { AT_ONCE_MIN = 16, AT_ONCE_MAX = 8192, ANSWER_SMALL = 512 * 1024 };
#define FOLLOW_S 3600.0
#define MARGIN_S 5.0 /* that the daemon's answer may take on top of its waiting */

struct receiving {
	struct ctl *ctl;
	json_int_t wanted, taken; /* wanted: still */
	json_int_t at_once;
	struct buf out;
	double deadline_s;
	bool follow;
};

/* ---- printing ---- */

static int print_all(struct receiving *r, const json_t *messages, struct pt_error *err)
{
	int code = 0;
	json_each (item, messages) {
		int c = received_print(&r->out, item, r->ctl->json, err);
		code = code ? code : c;
		r->wanted--;
		r->taken++;
	}
	if (r->at_once == 1)
		; /* a terminal */
	else if (r->out.length < ANSWER_SMALL && r->at_once < AT_ONCE_MAX)
		r->at_once *= 2;
	else if (r->out.length >= ANSWER_SMALL && r->at_once > AT_ONCE_MIN)
		r->at_once /= 2;
	out_print(r->out.data ? r->out.data : "", r->out.length);
	buf_clear(&r->out);
	return code;
}

/* ---- asking ---- */

static int ask(struct receiving *r, json_t **result, struct pt_error *err)
{
	double left_s = r->follow ? FOLLOW_S : r->deadline_s - clock_s();
	json_int_t max = r->follow || r->wanted > r->at_once ? r->at_once : r->wanted;
	json_t *params = ctl_params(r->ctl);
	if (left_s < 0)
		left_s = 0;
	json_object_set_new(params, "max", json_integer(max));
	json_object_set_new(params, "timeout_s", json_real(left_s));
	json_object_set_new(params, "hold", json_true());
	return ctl_call_within(r->ctl, "block.recv", params, left_s + MARGIN_S, result, err);
}

static int receive(struct receiving *r, struct pt_error *err)
{
	int code = 0;
	while (!code && (r->follow || r->wanted > 0)) {
		json_t *result;
		code = ask(r, &result, err);
		if (code)
			break;
		const json_t *messages = json_object_get(result, "messages");
		bool none = !json_array_size(messages);
		code = print_all(r, messages, err);
		json_decref(result);
		if (!code && none && !r->follow && clock_s() >= r->deadline_s)
			break;
	}
	if (!code && !r->follow && r->wanted > 0)
		code = pt_fail(err, -PT_ETIMEOUT, NULL, "%lld of %lld messages came within %g s",
		               r->taken, r->taken + r->wanted, r->ctl->timeout_s);
	return code;
}

/* What was printed has arrived: the next request says so. */
static void confirm(struct receiving *r, int code)
{
	if (r->taken && !code)
		ctl_call(r->ctl, "daemon.info", NULL, NULL, NULL);
}

int verb_recv(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	const json_t *count = json_object_get(ctl->values, "count");
	struct receiving r = {
		.ctl = ctl,
		.wanted = count ? json_integer_value(count) : 1,
		.follow = ctl_flag(ctl, "follow"),
		.at_once = out_is_terminal() && !ctl->json ? 1 : AT_ONCE_MIN,
	};
	int code = ctl_connect(ctl, &err);
	r.deadline_s = clock_s() + ctl->timeout_s;
	follow_begin(ctl, true);
	if (!code)
		code = receive(&r, &err);
	confirm(&r, code == -PT_ETIMEOUT ? 0 : code);
	buf_free(&r.out);
	return code ? ctl_refused(ctl, &err) : EXIT_DONE;
}
