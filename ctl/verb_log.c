/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl log. */
#include "base/date.h"
#include "base/json.h"
#include "base/moment.h"
#include "ctl/change.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Names of users are known on this host, for this host's daemon. */
static void show_author(struct buf *b, const struct ctl *ctl, const json_t *about)
{
	const json_t *uid = json_object_get(about, "uid"), *pid = json_object_get(about, "pid");
	if (!json_is_integer(uid)) {
		buf_adds(b, "by the daemon");
		return;
	}
	const struct passwd *user = ctl->host ? NULL : getpwuid((uid_t)json_integer_value(uid));
	if (user)
		buf_addf(b, "by %s (uid %lld", user->pw_name, json_integer_value(uid));
	else
		buf_addf(b, "by uid %lld (", json_integer_value(uid));
	if (json_is_integer(pid))
		buf_addf(b, "%spid %lld", user ? ", " : "", json_integer_value(pid));
	buf_addc(b, ')');
}

/* "revision 2  2026-11-30 10:00:00 +01:00  ", with the engine's name where there are several. */
static void begin_line(struct buf *b, const struct ctl *ctl, const json_t *item, const char *what)
{
	if (!ctl->engine)
		buf_addf(b, "%s: ", text_of(item, "engine"));
	buf_addf(b, "%s%s%s  ", out_colour(OUT_BOLD), what, out_colour(OUT_PLAIN));
	out_time(b, text_of(item, "time"));
}

static void show_revision(struct buf *b, const struct ctl *ctl, const json_t *about)
{
	const json_t *undoes = json_object_get(about, "undoes");
	const char *until = text_of(json_object_get(about, "confirm"), "until");
	const char *comment = text_of(about, "comment");
	char *what = must_printf("revision %lld", integer_of(about, "revision"));
	begin_line(b, ctl, about, what);
	free(what);
	buf_adds(b, "  ");
	show_author(b, ctl, about);
	if (undoes)
		buf_addf(b, "  back to revision %lld", json_integer_value(undoes));
	buf_addc(b, '\n');
	if (*until) {
		buf_addf(b, "    %snot confirmed%s: goes back at ", out_colour(OUT_RED),
		         out_colour(OUT_PLAIN));
		out_time(b, until);
		buf_addc(b, '\n');
	}
	if (*comment) {
		buf_adds(b, "    # ");
		out_clean(b, comment);
		buf_addc(b, '\n');
	}
	change_show_ops(b, json_object_get(about, "ops"), json_object_get(about, "was"), "    ");
}

static void show_state(struct buf *b, const struct ctl *ctl, const json_t *item)
{
	const char *state = text_of(item, "state"), *why = text_of(item, "why");
	bool failed = !strcmp(state, "failed");
	begin_line(b, ctl, item, !strcmp(state, "running") ? "started" : state);
	if (*why) {
		buf_addf(b, "  %s", failed ? out_colour(OUT_RED) : "");
		out_first_line(b, why);
		buf_adds(b, failed ? out_colour(OUT_PLAIN) : "");
	}
	buf_addc(b, '\n');
}

/* ---- by time ---- */

static int64_t time_of(const json_t *item)
{
	int64_t ns = 0;
	moment_parse(text_of(item, "time"), &ns);
	return ns;
}

static int by_time(const void *a, const void *b)
{
	int64_t one = time_of(*(json_t *const *)a), other = time_of(*(json_t *const *)b);
	return one < other ? -1 : one > other;
}

/* Revisions and states, which the caller frees; the list has *count of them. */
static json_t **sorted(const json_t *log, size_t *count)
{
	const json_t *revisions = json_object_get(log, "revisions"),
		     *states = json_object_get(log, "states");
	json_t **items = must_calloc(json_array_size(revisions) + json_array_size(states) + 1,
	                             sizeof *items);
	*count = 0;
	json_each (item, revisions)
		items[(*count)++] = item;
	json_each (item, states)
		items[(*count)++] = item;
	qsort(items, *count, sizeof *items, by_time);
	return items;
}

void print_log(struct ctl *ctl, struct buf *b, json_t *log)
{
	size_t count;
	json_t **items = sorted(log, &count);
	for (size_t i = 0; i < count; i++)
		if (json_object_get(items[i], "revision"))
			show_revision(b, ctl, items[i]);
		else
			show_state(b, ctl, items[i]);
	free(items);
}

/* ---- which of them ---- */

/* What was read as if UTC were this host's time: that may have been another then than now. */
static int64_t of_this_host(int64_t ns)
{
	time_t utc = (time_t)(ns / MOMENT_S);
	struct tm tm;
	gmtime_r(&utc, &tm);
	tm.tm_isdst = -1;
	return ns + (int64_t)(mktime(&tm) - utc) * MOMENT_S;
}

/* "10:00" is of today; without an offset the time is this host's. */
static int since(const char *text, int64_t *ns, struct pt_error *err)
{
	int64_t now = moment_now(), span;
	time_t s = now / MOMENT_S;
	struct tm tm;
	char date[64];
	localtime_r(&s, &tm);
	strftime(date, sizeof date, "%Y-%m-%d ", &tm);
	bool whole = strchr(text, '-') || !strchr(text, ':');
	char *full = must_printf("%s%s", whole ? "" : date, text);
	int code = 0;
	if (!moment_parse_span(text, &span) && (*text == '-' || *text == '+'))
		*ns = now + span;
	else if (!date_parse(full, ns))
		*ns = strpbrk(full + strlen("2026-11-30"), "Zz+-") ? *ns : of_this_host(*ns);
	else
		code = pt_fail(err, -PT_EREQUEST, "since",
		               "'--since' takes a time as 10:00, 2026-11-30T10:00:00Z or -1h, not "
		               "'%s'",
		               text);
	free(full);
	return code;
}

/* From that time on, and of those the last `most`; 0: all. */
static void cut(json_t *log, int64_t from_ns, size_t most)
{
	static const char *const members[] = {"revisions", "states"};
	size_t count;
	json_t **items = sorted(log, &count);
	if (most && count > most && time_of(items[count - most]) > from_ns)
		from_ns = time_of(items[count - most]);
	free(items);
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		json_t *later = json_array(), *all = json_object_get(log, members[i]);
		json_each (item, all)
			if (time_of(item) >= from_ns)
				json_array_append(later, item);
		if (all)
			json_object_set(log, members[i], later);
		json_decref(later);
	}
}

int verb_log(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *log = NULL;
	const char *text = ctl_text(ctl, "since");
	int64_t from_ns = INT64_MIN;
	int code = text ? since(text, &from_ns, &err) : 0;
	if (!code)
		code = ctl_call(ctl, "engine.log", ctl_params(ctl), &log, &err);
	if (!code)
		cut(log, from_ns,
		    (size_t)json_integer_value(json_object_get(ctl->values, "number")));
	return ctl_end(ctl, code, log, &err);
}
