/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of ptctl: what was typed, the connection to the daemon, and how errors are told. */
#include "ctl/ctl.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "ctl/out.h"
#include "ctl/remote.h"
#include "rpc/call.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ctl_text(const struct ctl *ctl, const char *name)
{
	return json_string_value(json_object_get(ctl->values, name));
}

bool ctl_flag(const struct ctl *ctl, const char *name)
{
	return json_is_true(json_object_get(ctl->values, name));
}

const json_t *ctl_many(const struct ctl *ctl, const char *name)
{
	return json_object_get(ctl->values, name);
}

void ctl_catch(void (*caught)(int signal))
{
	const struct sigaction action = {.sa_handler = caught};
	struct sigaction before;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, &before);
	if (before.sa_handler == SIG_IGN)
		sigaction(SIGHUP, &before, NULL);
}

/* ---- calls ---- */

int ctl_open(struct ctl *ctl, struct pt_client **client, struct pt_error *err)
{
	double patience_s = ctl->timeout_s > ctl->patience_s ? ctl->timeout_s : ctl->patience_s;
	int rc = ctl->host ? remote_open(&ctl->remote, ctl->host, ctl->socket, patience_s,
	                                 ctl->login_s, client, err)
	                   : pt_client_open(ctl->socket, client, err);
	if (!rc && ctl->way)
		close(ctl->way);
	ctl->way = rc ? ctl->way : 0;
	return rc;
}

int ctl_connect(struct ctl *ctl, struct pt_error *err)
{
	return ctl->client ? 0 : ctl_open(ctl, &ctl->client, err);
}

void ctl_hang_up(struct ctl *ctl)
{
	pt_client_close(ctl->client);
	ctl->client = NULL;
}

/* Descriptors are carried as long as ptctl is there: for what ends with it. */
static int check_carrying(const struct ctl *ctl, int fd_count, struct pt_error *err)
{
	if (!ctl->host || !fd_count || ctl->carries)
		return 0;
	pt_fail(err, -PT_EPARAM, NULL,
	        "descriptors are carried to another host only while ptctl is there to do it");
	pt_hint(err, "ptctl run takes them with -H, too");
	return -PT_EPARAM;
}

static int call(struct ctl *ctl, const char *method, json_t *params, int fd_count, double timeout_s,
                json_t **result, struct pt_error *err)
{
	json_t *answer = NULL;
	int code = check_carrying(ctl, fd_count, err);
	if (!code)
		code = ctl_connect(ctl, err);
	if (!code)
		code = pt_client_call(ctl->client, method, params, ctl->fds, fd_count, timeout_s,
		                      &answer, err);
	if (code == -EPIPE && remote_is_lost(ctl->remote)) {
		pt_error_clear(err);
		pt_fail(err, code, NULL, "the connection to '%s' has ended", ctl->host);
	}
	json_decref(params);
	if (!code && result)
		*result = answer;
	else
		json_decref(answer);
	return code;
}

int ctl_call_within(struct ctl *ctl, const char *method, json_t *params, double timeout_s,
                    json_t **result, struct pt_error *err)
{
	return call(ctl, method, params, 0, timeout_s, result, err);
}

int ctl_call(struct ctl *ctl, const char *method, json_t *params, json_t **result,
             struct pt_error *err)
{
	return call(ctl, method, params, 0, ctl->timeout_s, result, err);
}

int ctl_call_with_fds(struct ctl *ctl, const char *method, json_t *params, json_t **result,
                      struct pt_error *err)
{
	return call(ctl, method, params, ctl->fd_count, ctl->timeout_s, result, err);
}

/* ---- errors ---- */

static int exit_of(int code)
{
	switch (-code) {
	case ENOENT:
	case ECONNREFUSED:
	case EPIPE:
	case ECONNRESET: return EXIT_NO_DAEMON;
	case EACCES:
	case EPERM: return error_kind(PT_EPERMITTED)->exit;
	default: return error_kind(code)->exit;
	}
}

static void tell_lines(const struct ctl *ctl, const char *text)
{
	for (size_t length; *text; text += length + (text[length] == '\n')) {
		length = strcspn(text, "\n");
		fprintf(stderr, "%s%s%.*s\n", ctl->named ? ctl->named : "", ctl->named ? ": " : "",
		        (int)length, text);
	}
}

static void tell_fault(const struct ctl *ctl, const struct pt_fault *fault)
{
	struct buf line = BUF_INIT;
	buf_adds(&line, "ptctl: ");
	out_clean(&line, fault->message ? fault->message : error_kind(fault->code)->sentence);
	bool is_caret = fault->hint && strchr(fault->hint, '\n');
	if (fault->hint && !is_caret) {
		buf_adds(&line, " (");
		out_clean(&line, fault->hint);
		buf_addc(&line, ')');
	}
	buf_addc(&line, '\n');
	if (is_caret)
		out_caret(&line, fault->hint);
	tell_lines(ctl, line.data);
	buf_free(&line);
}

int ctl_refused(struct ctl *ctl, struct pt_error *err)
{
	enum { TOLD_MAX = 20 };
	int code = err->count ? err->faults[0].code : -PT_EINTERNAL;
	fflush(stdout);
	if (exit_of(code) == EXIT_NO_DAEMON && ctl->verb && ctl->verb->run == verb_run &&
	    !ctl_flag(ctl, "private"))
		pt_hint(err, "'ptctl run --private' needs none");
	if (!err->count)
		pt_fail(err, code, NULL, "%s", error_kind(code)->sentence);
	for (size_t i = 0; i < err->count && i < TOLD_MAX; i++)
		tell_fault(ctl, &err->faults[i]);
	if (err->count > TOLD_MAX)
		fprintf(stderr, "ptctl: and %zu more\n", err->count - TOLD_MAX);
	if (ctl->json) {
		json_t *json = rpc_error_to_json(err);
		out_json_error(json);
		json_decref(json);
	}
	pt_error_clear(err);
	return exit_of(code);
}

/* ---- targets ---- */

static const char *target_of(const struct ctl *ctl)
{
	return ctl_text(ctl, ctl->verb->params->name);
}

int ctl_take_target(struct ctl *ctl, struct pt_error *err)
{
	const struct pt_param *first = ctl->verb->params;
	const char *target = first ? target_of(ctl) : NULL;
	if (!target || ctl_flag(ctl, "help"))
		return 0;
	if (!strcmp(first->name, "engine"))
		ctl->engine = must_strdup(target);
	return strcmp(first->name, "engine.block") ? 0 : ctl_split(ctl, false, err);
}

int ctl_split(struct ctl *ctl, bool whole, struct pt_error *err)
{
	const char *target = target_of(ctl), *dot = strrchr(target, '.');
	if (!whole && (!dot || dot == target || !dot[1]))
		return pt_fail(err, -PT_EREQUEST, NULL,
		               "'%s' names no block; write it as ENGINE.BLOCK", target);
	size_t length = whole ? strlen(target) : (size_t)(dot - target);
	ctl->engine = must_printf("%.*s", (int)length, target);
	ctl->block = whole ? NULL : must_strdup(dot + 1);
	return 0;
}

int ctl_split_any(struct ctl *ctl, struct pt_error *err)
{
	json_t *list = NULL;
	const char *target = target_of(ctl);
	if (!target)
		return 0;
	int code = strchr(target, '.') ? ctl_call(ctl, "engine.list", NULL, &list, err) : 0;
	bool whole = !list || item_of(json_object_get(list, "engines"), "engine", target);
	json_decref(list);
	return code ? code : ctl_split(ctl, whole, err);
}

/* ---- a verb's request, and what came of it ---- */

json_t *ctl_engine(const struct ctl *ctl)
{
	return ctl->engine ? json_pack("{s:s}", "engine", ctl->engine) : json_object();
}

static json_t *join(const json_t *words)
{
	struct buf text = BUF_INIT;
	json_each (word, words)
		buf_addf(&text, "%s%s", text.length ? " " : "", json_string_value(word));
	json_t *joined = json_stringn(text.data ? text.data : "", text.length);
	buf_free(&text);
	return joined;
}

json_t *ctl_params(const struct ctl *ctl)
{
	json_t *params = ctl_engine(ctl);
	if (ctl->block)
		json_object_set_new(params, "block", json_string(ctl->block));
	for (const struct pt_param *row = ctl->verb->params; row && row->name; row++) {
		json_t *value = json_object_get(ctl->values, row->name);
		if (!value || !(row->flags & PT_SENT))
			continue;
		char *name = must_printf(row->kind == PT_KIND_SECONDS ? "%s_s" : "%s", row->name);
		json_object_set_new(params, name,
		                    row->flags & PT_MANY ? join(value) : json_incref(value));
		free(name);
	}
	return params;
}

static int show(struct ctl *ctl, json_t *result)
{
	struct buf b = BUF_INIT;
	if (!ctl->json && ctl->verb->print)
		ctl->verb->print(ctl, &b, result);
	if (ctl->json)
		out_json(result);
	else
		out_buf(&b);
	int status = ctl->verb->done ? ctl->verb->done(ctl, result) : EXIT_DONE;
	json_decref(result);
	return status;
}

int ctl_end(struct ctl *ctl, int code, json_t *result, struct pt_error *err)
{
	if (!code)
		return show(ctl, result);
	json_decref(result);
	return ctl_refused(ctl, err);
}

int ctl_run_method(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *result = NULL;
	int code = ctl_call_with_fds(ctl, ctl->verb->method, ctl_params(ctl), &result, &err);
	return ctl_end(ctl, code, result, &err);
}

bool ctl_tell_losses(const json_t *result)
{
	const json_t *failed = json_object_get(result, "failed");
	fflush(stdout);
	json_each (block, failed)
		fprintf(stderr, "ptctl: block '%s': %s\n", text_of(block, "block"),
		        text_of(block, "message"));
	return json_array_size(failed) > 0;
}
