/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl log, ptctl undo, ptctl confirm. */
#include "base/buf.h"
#include "ctl/change.h"
#include "ctl/out.h"
#include <pwd.h>
#include <stdlib.h>
#include <time.h>

static int show_log(struct ctl *);
static int undo(struct ctl *);
static int confirm(struct ctl *);

static const struct pt_param log_rows[] = {
	{.name = "engine", .doc = "Its name.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{.name = "number",
         .doc = "How many of the last revisions are shown.",
         .kind = PT_KIND_INT,
         .flags = PT_OPTION,
         .letter = 'n',
         .min = 1,
         .max = 1e9},
	{NULL},
};

const struct verb verb_log = {
	.name = "log",
	.summary = "show who changed an engine's graph, when and how",
	.help = "The oldest first. 'ptctl undo ENGINE REVISION' brings one of them back.",
	.params = log_rows,
	.run = show_log,
};

static const struct pt_param undo_rows[] = {
	{.name = "engine", .doc = "Its name.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{.name = "revision",
         .doc = "Whose graph comes back; without it, that of the one before.",
         .kind = PT_KIND_INT,
         .max = 9007199254740992.0},
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct verb verb_undo = {
	.name = "undo",
	.summary = "bring back the graph of an earlier revision, as a new one",
	.help = "Touches only what differs, also while the engine runs. Undoing again goes further "
		"back.",
	.params = undo_rows,
	.run = undo,
};

static const struct pt_param confirm_rows[] = {
	{.name = "engine", .doc = "Its name.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{NULL},
};

const struct verb verb_confirm = {
	.name = "confirm",
	.summary = "let a change stay that was made with --confirm",
	.params = confirm_rows,
	.run = confirm,
};

/* ---- log ---- */

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

static void show_time(struct buf *b, const json_t *time)
{
	char text[40], offset[8];
	struct tm tm;
	time_t s = (time_t)strtoll(json_is_string(time) ? json_string_value(time) : "0", NULL, 10);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", localtime_r(&s, &tm));
	strftime(offset, sizeof offset, "%z", &tm);
	buf_addf(b, "%s %.3s:%s", text, offset, offset + 3);
}

static void show_revision(struct buf *b, const struct ctl *ctl, const json_t *about)
{
	const json_t *undoes = json_object_get(about, "undoes");
	const json_t *until = json_object_get(json_object_get(about, "confirm"), "until");
	const char *comment = json_string_value(json_object_get(about, "comment"));
	buf_addf(b, "%srevision %lld%s  ", out_colour(OUT_BOLD),
	         json_integer_value(json_object_get(about, "revision")), out_colour(OUT_PLAIN));
	show_time(b, json_object_get(about, "time"));
	buf_adds(b, "  ");
	show_author(b, ctl, about);
	if (undoes)
		buf_addf(b, "  back to revision %lld", json_integer_value(undoes));
	buf_addc(b, '\n');
	if (until) {
		buf_addf(b, "    %snot confirmed%s: goes back at ", out_colour(OUT_RED),
		         out_colour(OUT_PLAIN));
		show_time(b, until);
		buf_addc(b, '\n');
	}
	if (comment) {
		buf_adds(b, "    # ");
		out_clean(b, comment);
		buf_addc(b, '\n');
	}
	change_show_ops(b, json_object_get(about, "ops"), "    ");
}

static int show_log(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *log, *params = json_object();
	json_object_set_new(params, "engine", json_string(ctl_text(ctl, "engine")));
	if (ctl_call(ctl, "engine.log", params, &log, &err))
		return ctl_refused(ctl, &err);
	json_t *revisions = json_object_get(log, "revisions");
	const json_t *number = json_object_get(ctl->values, "number");
	size_t count = json_array_size(revisions), first = 0;
	if (number && (size_t)json_integer_value(number) < count)
		first = count - (size_t)json_integer_value(number);
	for (size_t i = 0; i < first; i++)
		json_array_remove(revisions, 0);
	struct buf b = BUF_INIT;
	size_t i;
	json_t *about;
	json_array_foreach (revisions, i, about)
		show_revision(&b, ctl, about);
	if (ctl->json)
		out_json(log);
	else
		out_buf(&b);
	buf_free(&b);
	json_decref(log);
	return EXIT_DONE;
}

/* ---- undo and confirm ---- */

static int undo(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *result, *params = json_object();
	json_t *revision = json_object_get(ctl->values, "revision");
	if (revision)
		json_object_set(params, "revision", revision);
	if (change_call(ctl, "engine.undo", ctl_text(ctl, "engine"), params, &result, &err))
		return ctl_refused(ctl, &err);
	return change_done(ctl, ctl_text(ctl, "engine"), result);
}

static int confirm(struct ctl *ctl)
{
	return ctl_simple_engine(ctl, "engine.confirm");
}
