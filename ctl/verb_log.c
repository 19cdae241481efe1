/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl log. */
#include "base/json.h"
#include "ctl/change.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include <pwd.h>
#include <stdlib.h>

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

static void show_revision(struct buf *b, const struct ctl *ctl, const json_t *about)
{
	const json_t *undoes = json_object_get(about, "undoes");
	const char *until = text_of(json_object_get(about, "confirm"), "until");
	const char *comment = text_of(about, "comment");
	buf_addf(b, "%srevision %lld%s  ", out_colour(OUT_BOLD), integer_of(about, "revision"),
	         out_colour(OUT_PLAIN));
	out_time(b, text_of(about, "time"));
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

void print_log(struct ctl *ctl, struct buf *b, json_t *log)
{
	json_each (about, json_object_get(log, "revisions"))
		show_revision(b, ctl, about);
}

int verb_log(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *log = NULL;
	int code = ctl_call(ctl, "engine.log", ctl_params(ctl), &log, &err);
	json_t *revisions = json_object_get(log, "revisions");
	json_int_t most = json_integer_value(json_object_get(ctl->values, "number"));
	while (most && json_array_size(revisions) > (size_t)most)
		json_array_remove(revisions, 0);
	return ctl_end(ctl, code, log, &err);
}
