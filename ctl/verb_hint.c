/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs of other programs, and what they are called here. */
#include "ctl/verb_hint.h"

#include "base/near.h"
#include "ctl/verb.h"
#include <string.h>

static const struct {
	const char *name, *meant;
} hints[] = {
	{"link", "'ptctl add ENGINE \"a > b\"'"},
	{"connect", "'ptctl add ENGINE \"a > b\"'"},
	{"disconnect", "'ptctl unlink'"},
	{"insert", "'ptctl add'"},
	{"ls", "'ptctl list'"},
	{"ps", "'ptctl list'"},
	{"engines", "'ptctl list'"},
	{"rm", "'ptctl remove' for blocks, 'ptctl destroy' for an engine"},
	{"delete", "'ptctl remove' for blocks, 'ptctl destroy' for an engine"},
	{"del", "'ptctl remove' for blocks, 'ptctl destroy' for an engine"},
	{"status", "'ptctl list' for all engines, 'ptctl show' for one"},
	{"info", "'ptctl list' for all engines, 'ptctl show' for one"},
	{"describe", "'ptctl show'"},
	{"cat", "'ptctl export'"},
	{"dump", "'ptctl export', or 'ptctl tap' for packets"},
	{"check", "'ptctl create ENGINE --dry-run'"},
	{"validate", "'ptctl create ENGINE --dry-run'"},
	{"version", "'ptctl --version'"},
	{"edit", "'ptctl export' into a file, and 'ptctl apply' of it"},
	{"update", "'ptctl apply'"},
	{"change", "'ptctl set' for parameters, 'ptctl apply' for a graph"},
	{"rename", "'ptctl export' and 'ptctl create' under another name"},
	{"mv", "'ptctl export' and 'ptctl create' under another name"},
	{"new", "'ptctl create'"},
	{"make", "'ptctl create'"},
	{"kill", "'ptctl stop', or 'ptctl destroy'"},
	{"reload", "'systemctl reload pipetoold', or SIGHUP to the daemon"},
	{"restart", "'ptctl stop', then 'ptctl start'"},
	{"exec", "'ptctl run'"},
	{"play", "'ptctl run'"},
	{"watch", "'ptctl stats --watch', or 'ptctl events'"},
	{"monitor", "'ptctl events', or 'ptctl stats --watch'"},
	{"history", "'ptctl log'"},
	{"revert", "'ptctl undo'"},
	{"rollback", "'ptctl undo'"},
	{"capture", "'ptctl tap ENGINE.BLOCK -w FILE', or 'ptctl run' with a SniffSource"},
	{"sniff", "'ptctl tap ENGINE.BLOCK', or 'ptctl run' with a SniffSource"},
	{"receive", "'ptctl recv'"},
	{"read", "'ptctl recv'"},
	{"write", "'ptctl send'"},
	{"push", "'ptctl send'"},
	{"draw", "'ptctl graph'"},
	{"blocks", "'ptctl show ENGINE' for those of an engine, 'ptctl types' for what there is"},
	{"man", "'ptctl help'"},
	{NULL, NULL},
};

const char *verb_meant(const char *name)
{
	for (size_t i = 0; hints[i].name; i++)
		if (!strcmp(hints[i].name, name) && !verb_find(name))
			return hints[i].meant;
	return NULL;
}

int verb_unknown(const char *name, struct pt_error *err)
{
	const char *meant = verb_meant(name);
	struct near near = near_init(name);
	for (const struct verb *v = verbs; v->name; v++)
		near_try(&near, v->name);
	if (meant)
		return pt_fail(err, -PT_EREQUEST, NULL, "unknown verb '%s'; it is %s", name, meant);
	return pt_fail(err, -PT_EREQUEST, NULL, "unknown verb '%s'%s", name,
	               near_say(&near, "; 'ptctl help' lists them all"));
}
