/* SPDX-License-Identifier: BSD-2-Clause */
/* All verbs, and the options that go with each. */
#include "ctl/verb.h"

#include <string.h>

const struct pt_param verb_globals[] = {
	{.name = "socket",
         .doc = "The daemon's control socket.",
         .kind = PT_KIND_PATH,
         .flags = PT_OPTION,
         .letter = 's'},
	{.name = "host",
         .doc = "The daemon of another host, through ssh: [USER@]HOST.",
         .kind = PT_KIND_STRING,
         .flags = PT_OPTION,
         .letter = 'H'},
	{.name = "json",
         .doc = "Print the method's result as JSON.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION,
         .letter = 'j'},
	{.name = "timeout",
         .doc = "How long to wait for an answer, at the longest.",
         .kind = PT_KIND_SECONDS,
         .flags = PT_OPTION,
         .fallback = "10"},
	{.name = "fd",
         .doc = "A descriptor to hand over with the request, {\"fd\": 0} in the text; may be given "
                "again for {\"fd\": 1} and so on.",
         .kind = PT_KIND_INT,
         .flags = PT_OPTION | PT_MANY},
	{.name = "help",
         .doc = "Show the help.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION,
         .letter = 'h'},
	{.name = "version", .doc = "Show the version.", .kind = PT_KIND_BOOL, .flags = PT_OPTION},
	{NULL},
};

const struct verb *const verbs[] = {
	&verb_create,    &verb_destroy, &verb_add,    &verb_remove,  &verb_unlink, &verb_replace,
	&verb_set,       &verb_apply,   &verb_export, &verb_log,     &verb_undo,   &verb_confirm,
	&verb_start,     &verb_stop,    &verb_wait,   &verb_run,     &verb_list,   &verb_show,
	&verb_stats,     &verb_graph,   &verb_health, &verb_attach,  &verb_events, &verb_tap,
	&verb_wireshark, &verb_send,    &verb_close,  &verb_trigger, &verb_recv,   &verb_types,
	&verb_load,      &verb_help,    &verb_call,   &verb_proxy,   NULL,
};

const struct verb *verb_find(const char *name)
{
	for (const struct verb *const *v = verbs; *v; v++)
		if (!strcmp((*v)->name, name))
			return *v;
	return strcmp(name, verb_complete.name) ? NULL : &verb_complete;
}
