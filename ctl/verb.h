/* SPDX-License-Identifier: BSD-2-Clause */
/* A verb of ptctl: one row of a constant table. */
#ifndef CTL_VERB_H
#define CTL_VERB_H

#include "type/argv.h"
#include <jansson.h>
#include <pipetool/param.h>

struct ctl;

/* As the help shows them. */
enum verb_group { VERB_GRAPH, VERB_RUNNING, VERB_LOOKING, VERB_FEEDING, VERB_REST };

/*
 * The rows of `params` say what may be typed behind the verb, in this order. A row without
 * PT_OPTION is a positional argument; its name is what the usage shows in capitals
 * ("engine[.block]"). An option's name has '_' where the user types '-'. Rows with PT_SENT are
 * members of the request under their name, those of PT_KIND_SECONDS as NAME_s; engine and block,
 * where they are told from one another by the text alone, always are.
 *
 * A verb that is one method needs no code but what prints its result for people; all else that it
 * does is in `run`.
 */
struct verb {
	const char *name;
	const char *summary;           /* one line, without full stop */
	const char *help;              /* more, or NULL */
	const struct pt_param *params; /* ends with a row without a name; NULL: none */
	enum verb_group group;
	const char *method;       /* of the daemon, called where `run` is NULL */
	int (*run)(struct ctl *); /* returns the exit status */
	/* Without -j, which prints the result as it is; NULL: there is nothing to tell. */
	void (*print)(struct ctl *, struct buf *, json_t *result);
	int (*done)(struct ctl *, json_t *result); /* the exit status after that; NULL: 0 */
};

/* All verbs in the order of `ptctl help`; ends with a row without a name. */
extern const struct verb verbs[];
/* By name, or NULL. Also finds `complete`, which is for shells and not listed. */
const struct verb *verb_find(const char *name);

/* What may be given to every verb. */
extern const struct pt_param verb_globals[];
/* What may be typed behind it; NULL: before it. */
struct argv verb_argv(const struct verb *);

/* What verbs do that are more than a method, or print more than nothing; each in the file of its
   name, or of its noun. */
int verb_add(struct ctl *), verb_apply(struct ctl *), verb_attach(struct ctl *),
	verb_call(struct ctl *), verb_complete(struct ctl *), verb_create(struct ctl *),
	verb_destroy(struct ctl *), verb_events(struct ctl *), verb_graph(struct ctl *),
	verb_health(struct ctl *), verb_help(struct ctl *), verb_load(struct ctl *),
	verb_log(struct ctl *), verb_proxy(struct ctl *), verb_recv(struct ctl *),
	verb_remove(struct ctl *), verb_replace(struct ctl *), verb_run(struct ctl *),
	verb_send(struct ctl *), verb_set(struct ctl *), verb_show(struct ctl *),
	verb_stats(struct ctl *), verb_stop(struct ctl *), verb_tap(struct ctl *),
	verb_unlink(struct ctl *), verb_wait(struct ctl *), verb_wireshark(struct ctl *);
void print_call(struct ctl *, struct buf *, json_t *),
	print_export(struct ctl *, struct buf *, json_t *),
	print_health(struct ctl *, struct buf *, json_t *),
	print_list(struct ctl *, struct buf *, json_t *),
	print_load(struct ctl *, struct buf *, json_t *),
	print_log(struct ctl *, struct buf *, json_t *),
	print_notes(struct ctl *, struct buf *, json_t *),
	print_types(struct ctl *, struct buf *, json_t *),
	print_wait(struct ctl *, struct buf *, json_t *);

/* The rows that go with every verb that changes a graph. */
#define VERB_CHANGE_OPTIONS                                                                       \
	{"if_revision", "Refuse (exit status 5) unless the engine is at this revision.",          \
	 PT_KIND_INT, .flags = PT_OPTION | PT_SENT, .max = 9007199254740992.0},                   \
		{"dry_run", "Check and tell what would be done, and change nothing.",             \
	         PT_KIND_BOOL, .flags = PT_OPTION | PT_SENT},                                     \
		{"exit_code", "With --dry-run: the exit status is 9 if something would be done.", \
	         PT_KIND_BOOL, .flags = PT_OPTION},                                               \
		{"quiet", "Do not tell what was done.", PT_KIND_BOOL, .flags = PT_OPTION,         \
	         .letter = 'q'},                                                                  \
		{"comment", "Why, for the engine's log.", PT_KIND_STRING,                         \
	         .flags = PT_OPTION | PT_SENT},                                                   \
	{                                                                                         \
		"confirm", "Take the change back after so long, unless it is confirmed.",         \
			PT_KIND_SECONDS, .flags = PT_OPTION | PT_SENT                             \
	}

#endif
