/* SPDX-License-Identifier: BSD-2-Clause */
/* Revisions as records: each change, each start and stop, each confirmation. */
#include "daemon/revisions.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/moment.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

json_t *revisions_time_json(int64_t ns)
{
	char text[MOMENT_MAX];
	moment_print(ns, text);
	return json_string(text);
}

static int64_t time_of(const json_t *text)
{
	const char *said = json_string_value(text);
	int64_t ns;
	return said && !moment_parse(said, &ns) ? ns : 0;
}

void revisions_init(struct revisions *r, struct journal_file *file)
{
	*r = (struct revisions){.file = file};
	r->states = json_array();
	r->lodgers = json_object();
	history_init(&r->history);
}

void revisions_fini(struct revisions *r)
{
	history_fini(&r->history);
	json_decref(r->leaving);
	json_decref(r->states);
	json_decref(r->lodgers);
	free(r->lost);
	journal_file_free(r->file);
}

/* ---- writing ---- */

static json_t *state_record(const struct revisions *r)
{
	if (r->lost)
		return json_pack("{s:s, s:s}", "state", "failed", "why", r->lost);
	return json_pack("{s:s}", "state", r->running ? "running" : "stopped");
}

static json_t *leaving_record(const struct revisions *r)
{
	return json_pack("{s:O?}", "leaving", r->leaving);
}

void revisions_write(struct revisions *r)
{
	if (!r->file)
		return;
	json_t *records = history_records(&r->history);
	json_array_append_new(records, json_pack("{s:O}", "states", r->states));
	json_array_append_new(records, state_record(r));
	if (r->leaving)
		json_array_append_new(records, leaving_record(r));
	journal_rewrite(r->file, records);
	json_decref(records);
}

/* Takes the record. */
static void keep(struct revisions *r, json_t *record)
{
	if (r->quiet)
		; /* all of it is written later */
	else if (r->file && (journal_failed(r->file) || journal_is_long(r->file)))
		revisions_write(r);
	else if (r->file)
		journal_append(r->file, record);
	json_decref(record);
}

static json_t *until_json(int64_t now, double after_s)
{
	return revisions_time_json(now + (int64_t)(after_s * MOMENT_S));
}

static json_t *names_of(json_t *object)
{
	json_t *names = json_array(), *value;
	const char *name;
	json_object_foreach (object, name, value)
		json_array_append_new(names, json_string(name));
	return names;
}

static json_t *about_change(const struct revisions *r, const struct author *author,
                            const struct pt_made *made)
{
	const struct revision *last = history_last(&r->history);
	int64_t now = moment_now();
	json_t *about = json_object();
	json_object_set_new(about, "revision", json_integer((json_int_t)made->revision));
	json_object_set_new(about, "time", revisions_time_json(now));
	json_object_set_new(about, "uid",
	                    author->uid < 0 ? json_null() : json_integer(author->uid));
	json_object_set_new(about, "pid",
	                    author->pid < 0 ? json_null() : json_integer(author->pid));
	if (author->comment)
		json_object_set_new(about, "comment", json_string(author->comment));
	if (author->undo)
		json_object_set_new(about, "undoes", json_integer((json_int_t)author->undoes));
	if (author->confirm_s > 0)
		json_object_set_new(
			about, "confirm",
			json_pack("{s:o, s:o}", "back",
		                  last ? json_integer((json_int_t)last->number) : json_null(),
		                  "until", until_json(now, author->confirm_s)));
	json_object_set(about, "ops", made->plan);
	if (json_object_size(r->lodgers))
		json_object_set_new(about, "owned", names_of(r->lodgers));
	return about;
}

void revisions_add(struct revisions *r, const struct author *author, const struct pt_made *made)
{
	json_t *about = about_change(r, author, made);
	keep(r, history_add(&r->history, about, made->blocks, made->links));
	json_decref(about);
}

/* ---- starts, stops and failures ---- */

/* A start that was refused was none; what is tried again fails again. */
static void note_state(struct revisions *r, bool running, const char *time, const char *refused)
{
	size_t last = json_array_size(r->states);
	const json_t *before = json_array_get(r->states, last - 1);
	if (refused && !strcmp(text_of(before, "state"), "running")) {
		json_array_remove(r->states, last - 1);
		before = json_array_get(r->states, last - 2);
	}
	if (refused && !strcmp(text_of(before, "why"), refused))
		return;
	const char *state = refused ? "failed" : running ? "running" : "stopped";
	json_array_append_new(r->states, json_pack("{s:s, s:s, s:s*}", "time", time, "state", state,
	                                           "why", refused));
	if (json_array_size(r->states) > REVISIONS_STATES_MAX)
		json_array_remove(r->states, 0);
}

void revisions_note_failure(struct revisions *r, const char *why)
{
	char now[MOMENT_MAX];
	moment_print(moment_now(), now);
	note_state(r, false, now, why);
}

void revisions_set_running(struct revisions *r, bool running, const char *refused)
{
	char now[MOMENT_MAX];
	bool is_new = r->running != running || r->lost;
	if (!is_new && !refused)
		return;
	moment_print(moment_now(), now);
	note_state(r, running, now, refused);
	if (!is_new)
		return;
	r->running = running;
	free(r->lost);
	r->lost = NULL;
	json_t *record = state_record(r);
	json_object_set_new(record, "time", json_string(now));
	if (refused)
		json_object_set_new(record, "refused", json_string(refused));
	keep(r, record);
}

/* ---- more of the graph ---- */

void revisions_lose(struct revisions *r, const char *why)
{
	free(r->lost);
	r->lost = must_strdup(why);
}

void revisions_go_back(struct revisions *r, uint64_t number)
{
	while (history_last(&r->history)->number > number)
		history_drop_last(&r->history);
}

/* ---- confirmation ---- */

/* The clock may be set while the time runs, or while nobody is there: what is left is never more
   than what there was. */
static int64_t left_ns(const json_t *wait, int64_t since)
{
	int64_t until = time_of(json_object_get(wait, "until"));
	int64_t all = until - since;
	int64_t left = until - moment_now();
	return left < 0 ? 0 : left < all ? left : all;
}

/* {back, until, since?}: since it was extended, or the engine left; else since the change. */
static json_t *wait_of(const struct revisions *r)
{
	const struct revision *last = history_last(&r->history);
	return r->leaving ? r->leaving : last ? json_object_get(last->about, "confirm") : NULL;
}

bool revisions_waits(const struct revisions *r, struct revisions_wait *out)
{
	const json_t *wait = wait_of(r), *back = json_object_get(wait, "back"),
		     *since = json_object_get(wait, "since");
	if (wait && out)
		*out = (struct revisions_wait){
			.else_ = r->leaving              ? WAIT_THERE
		                 : json_is_integer(back) ? WAIT_BACK
		                                         : WAIT_GONE,
			.back = (uint64_t)json_integer_value(back),
			.left_ns = left_ns(
				wait,
				time_of(since ? since
		                              : json_object_get(history_last(&r->history)->about,
		                                                "time"))),
		};
	return wait;
}

void revisions_confirm(struct revisions *r)
{
	const struct revision *last = history_last(&r->history);
	json_object_del(last->about, "confirm");
	keep(r, json_pack("{s:I}", "confirmed", (json_int_t)last->number));
}

static void wait_until(json_t *wait, double after_s)
{
	int64_t now = moment_now();
	json_object_set_new(wait, "since", revisions_time_json(now));
	json_object_set_new(wait, "until", until_json(now, after_s));
}

void revisions_extend(struct revisions *r, double more_s)
{
	json_t *wait = wait_of(r);
	wait_until(wait, more_s);
	keep(r, r->leaving ? leaving_record(r)
	                   : json_pack("{s:I, s:O}", "extended",
	                               (json_int_t)history_last(&r->history)->number, "confirm",
	                               wait));
}

void revisions_leave(struct revisions *r, const struct author *author)
{
	r->leaving =
		author->comment ? json_pack("{s:s}", "comment", author->comment) : json_object();
	wait_until(r->leaving, author->confirm_s);
	keep(r, leaving_record(r));
}

void revisions_return(struct revisions *r)
{
	json_decref(r->leaving);
	r->leaving = NULL;
	keep(r, leaving_record(r));
}

/* ---- reading ---- */

static void read_state(struct revisions *r, const json_t *record, const char *state)
{
	const char *why = json_string_value(json_object_get(record, "why"));
	const char *time = json_string_value(json_object_get(record, "time"));
	r->running = !strcmp(state, "running");
	if (time)
		note_state(r, r->running, time,
		           json_string_value(json_object_get(record, "refused")));
	free(r->lost);
	r->lost = why ? must_strdup(why) : NULL;
}

static void read_states(struct revisions *r, json_t *states)
{
	if (!json_is_array(states))
		return;
	json_decref(r->states);
	r->states = json_copy(states);
}

static void read_leaving(struct revisions *r, json_t *leaving)
{
	json_decref(r->leaving);
	r->leaving = json_is_object(leaving) ? json_incref(leaving) : NULL;
}

static bool is_of_last(const struct revisions *r, const json_t *number)
{
	const struct revision *last = history_last(&r->history);
	return last && number && (uint64_t)json_integer_value(number) == last->number;
}

static int read_record(struct revisions *r, const json_t *record, struct pt_error *err)
{
	const char *state = json_string_value(json_object_get(record, "state"));
	const json_t *confirmed = json_object_get(record, "confirmed"),
		     *extended = json_object_get(record, "extended");
	json_t *leaving = json_object_get(record, "leaving");
	json_t *states = json_object_get(record, "states");
	if (state)
		read_state(r, record, state);
	else if (states)
		read_states(r, states);
	else if (leaving)
		read_leaving(r, leaving);
	else if (is_of_last(r, extended))
		json_object_set(history_last(&r->history)->about, "confirm",
		                json_object_get(record, "confirm"));
	else if (is_of_last(r, confirmed))
		json_object_del(history_last(&r->history)->about, "confirm");
	else if (!confirmed && !extended)
		return history_replay(&r->history, record, err);
	return 0;
}

int revisions_restore(struct revisions *r, const json_t *records, struct pt_error *err)
{
	int code = 0;
	json_each (record, records)
		if (!code)
			code = read_record(r, record, err);
	if (!code && !r->history.count)
		code = pt_fail(err, -PT_EIO, NULL, "it holds no revision");
	return code;
}
