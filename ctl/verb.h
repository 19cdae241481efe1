/* SPDX-License-Identifier: BSD-2-Clause */
/* A verb of ptctl: one row of a constant table. */
#ifndef CTL_VERB_H
#define CTL_VERB_H

#include "type/argv.h"
#include <jansson.h>
#include <pipetool/param.h>

struct ctl;

typedef int verb_act(struct ctl *); /* returns the exit status */
typedef void verb_print(struct ctl *, struct buf *, json_t *result);

/* As the help shows them. */
enum verb_group { VERB_GRAPH, VERB_RUNNING, VERB_LOOKING, VERB_FEEDING, VERB_REST };

/*
 * The rows of `params` say what may be typed behind the verb, in this order. A row without
 * PT_OPTION is a positional argument; its name is what the usage shows in capitals
 * ("engine[.block]"). An option's name has '_' where the user types '-'. Rows with PT_SENT are
 * members of the request under their name, those of PT_KIND_SECONDS as NAME_s, several words
 * (PT_MANY) as one text; engine and block, where they are told from one another by the text alone,
 * always are.
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
	const char *method; /* of the daemon, called where `run` is NULL */
	verb_act *run;
	/* Without -j, which prints the result as it is; NULL: there is nothing to tell. */
	verb_print *print;
	int (*done)(struct ctl *, json_t *result); /* the exit status after that; NULL: 0 */
	bool streams;                              /* prints as it comes, for long */
	bool one_host;                             /* not for several at once */
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
extern verb_act verb_add, verb_apply, verb_attach, verb_call, verb_complete, verb_create,
	verb_destroy, verb_events, verb_extcap, verb_fleet, verb_graph, verb_health, verb_help,
	verb_list, verb_load, verb_log, verb_proxy, verb_recv, verb_remove, verb_replace, verb_run,
	verb_save, verb_send, verb_set, verb_show, verb_stats, verb_stop, verb_tap, verb_top,
	verb_trace, verb_unlink, verb_wait, verb_wireshark;
extern verb_print print_call, print_confirm, print_export, print_extcap, print_graph, print_health,
	print_load, print_log, print_metrics, print_notes, print_save, print_types, print_wait;

/* Rows of verb_rows.c, … */
extern const struct pt_param add_rows[], apply_rows[], attach_rows[], call_rows[], complete_rows[],
	confirm_rows[], create_rows[], destroy_rows[], diff_rows[], engine_rows[], events_rows[],
	extcap_verb_rows[], graph_rows[], health_rows[], help_rows[], list_rows[], load_rows[],
	log_rows[], proxy_rows[], recv_rows[], remove_rows[], replace_rows[], run_rows[],
	save_rows[], send_rows[], set_rows[], show_rows[], stats_rows[], stop_rows[], tap_rows[],
	target_rows[], undo_rows[], unlink_rows[], wait_rows[], wireshark_rows[];

/* … and those that stand beside the verb's code. */
extern const struct pt_param fleet_rows[], top_rows[], trace_rows[];
extern const char fleet_help[];

/* Of verbs that listen: a line for scripts to wait for. */
#define VERB_READY                                                                            \
	{                                                                                     \
		"ready", "Say 'attached' on standard error once it has begun.", PT_KIND_BOOL, \
			.flags = PT_OPTION                                                    \
	}

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
		"confirm", "It goes back by itself after so long, unless it is confirmed.",       \
			PT_KIND_SECONDS, .flags = PT_OPTION | PT_SENT                             \
	}

#endif
