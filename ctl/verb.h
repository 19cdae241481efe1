/* SPDX-License-Identifier: BSD-2-Clause */
/* A verb of ptctl: one row of a constant table. */
#ifndef CTL_VERB_H
#define CTL_VERB_H

#include <jansson.h>
#include <pipetool/param.h>

struct ctl;

/*
 * The rows of `params` say what may be typed behind the verb, in this order. A row without
 * PT_OPTION is a positional argument; its name is what the usage shows in capitals
 * ("engine[.block]"). An option's name has '_' where the user types '-'.
 */
struct verb {
	const char *name;
	const char *summary;           /* one line, without full stop */
	const char *help;              /* more, or NULL */
	const struct pt_param *params; /* ends with a row without a name; NULL: none */
	int (*run)(struct ctl *);      /* returns the exit status */
};

/* All verbs in the order of `ptctl help`; ends with NULL. */
extern const struct verb *const verbs[];
/* By name, or NULL. Also finds `complete`, which is for shells and not listed. */
const struct verb *verb_find(const char *name);

/* What may be given to every verb. */
extern const struct pt_param verb_globals[];

extern const struct verb verb_add, verb_apply, verb_attach, verb_call, verb_close, verb_complete,
	verb_confirm, verb_create, verb_destroy, verb_events, verb_export, verb_graph, verb_help,
	verb_list, verb_load, verb_log, verb_proxy, verb_recv, verb_remove, verb_replace, verb_run,
	verb_send, verb_set, verb_show, verb_start, verb_stats, verb_stop, verb_tap, verb_trigger,
	verb_types, verb_undo, verb_unlink, verb_wait, verb_health, verb_wireshark;

/* The rows that go with every verb that changes a graph. */
#define VERB_CHANGE_OPTIONS                                                                 \
	{.name = "if_revision",                                                             \
	 .doc = "Refuse (exit status 5) unless the engine is at this revision.",            \
	 .kind = PT_KIND_INT,                                                               \
	 .flags = PT_OPTION,                                                                \
	 .max = 9007199254740992.0},                                                        \
		{.name = "dry_run",                                                         \
	         .doc = "Check and tell what would be done, and change nothing.",           \
	         .kind = PT_KIND_BOOL,                                                      \
	         .flags = PT_OPTION},                                                       \
		{.name = "exit_code",                                                       \
	         .doc = "With --dry-run: the exit status is 9 if something would be done.", \
	         .kind = PT_KIND_BOOL,                                                      \
	         .flags = PT_OPTION},                                                       \
		{.name = "quiet",                                                           \
	         .doc = "Do not tell what was done.",                                       \
	         .kind = PT_KIND_BOOL,                                                      \
	         .flags = PT_OPTION,                                                        \
	         .letter = 'q'},                                                            \
		{.name = "comment",                                                         \
	         .doc = "Why, for the engine's log.",                                       \
	         .kind = PT_KIND_STRING,                                                    \
	         .flags = PT_OPTION},                                                       \
	{                                                                                   \
		.name = "confirm",                                                          \
		.doc = "Take the change back after so long, unless it is confirmed.",       \
		.kind = PT_KIND_SECONDS, .flags = PT_OPTION                                 \
	}

#endif
