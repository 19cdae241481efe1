/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl fleet: many hosts kept alike. */
#include "ctl/fleet_apply.h"
#include "ctl/fleet_log.h"
#include "ctl/fleet_show.h"
#include "ctl/fleet_wave.h"
#include "fleet/gate.h"
#include <string.h>

static const char *const actions[] = {"list", "status", "diff", "apply", "undo", "log", NULL};
static const char *const reverts[] = {"wave", "all", NULL};

const struct pt_param fleet_rows[] = {
	{"action", "list, status, diff, apply, undo or log.", PT_KIND_CHOICE, .flags = PT_REQUIRED,
         .choices = actions},
	{"dir|comment",
         "The folder of graphs; of undo, which apply is taken back: its comment, or a part of it.",
         PT_KIND_PATH},
	{"inventory", "The inventory of hosts, in place of the usual one.", PT_KIND_PATH,
         .flags = PT_OPTION, .letter = 'i'},
	{"on",
         "Only hosts with these labels: role=web,site=north; given again, others beside them.",
         PT_KIND_STRING, .flags = PT_OPTION | PT_MANY},
	{"waves",
         "How many hosts are changed when each wave has come: numbers, or shares of those that "
         "change.",
         PT_KIND_STRING, .flags = PT_OPTION, .fallback = WAVES_USUAL},
	{"gate", "What has to hold on each host, else its wave is taken back.", PT_KIND_STRING,
         .flags = PT_OPTION, .fallback = GATE_USUAL},
	{"soak", "For how long the hosts of a wave are watched.", PT_KIND_SECONDS,
         .flags = PT_OPTION, .fallback = "10", .max = 604800},
	{"confirm",
         "After so long a change goes back by itself when ptctl, or the way to it, is gone.",
         PT_KIND_SECONDS, .flags = PT_OPTION, .fallback = "60", .min = 0.1, .max = 604800},
	{"max_missing", "Begin nothing if more hosts than this share, as 5%, cannot be asked.",
         PT_KIND_STRING, .flags = PT_OPTION},
	{"revert", "What is taken back when a gate fails: the wave, or the earlier ones, too.",
         PT_KIND_CHOICE, .flags = PT_OPTION, .fallback = "wave", .choices = reverts},
	{"prune", "Engines that fleet has made and that are not in DIR go.", PT_KIND_BOOL,
         .flags = PT_OPTION},
	{"dry_run", "Tell what would be done, and change nothing.", PT_KIND_BOOL,
         .flags = PT_OPTION},
	{"check", "Of status and diff: the exit status is 9 if a host is not as DIR says.",
         PT_KIND_BOOL, .flags = PT_OPTION},
	{NULL},
};

const char fleet_help[] =
	"DIR has a graph in the pipe language in each of its *.pipe files, for an engine of the "
	"file's name. Comments at its top may say more: '# on: role=web, site=north' for hosts "
	"with these labels only (several such lines are alternatives), '# engine: NAME'. apply "
	"asks every host first, and begins nothing if one refuses. Then waves of hosts are "
	"changed, watched, and confirmed when their engines run and the gate holds, else taken "
	"back; when ptctl is gone, they go back by themselves. A gate has terms "
	"'dropped|errors|filtered < N[%]', '… < before + N[%]' and 'messages > N', joined by "
	"'and'. Who could not be asked makes the exit status 3.\n"
	"\n"
	"  ptctl fleet apply sensors -i hosts --on role=edge --soak 0.5\n"
	"  ptctl fleet status sensors -i hosts --check";

static int run(struct fleet *f, const char *action, const char *comment)
{
	static const struct {
		const char *name;
		int (*run)(struct fleet *);
	} acts[] = {{"list", fleet_list},
	            {"status", fleet_status},
	            {"diff", fleet_diff},
	            {"apply", fleet_apply},
	            {"log", fleet_log}};
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		if (!strcmp(acts[i].name, action))
			return acts[i].run(f);
	return fleet_undo(f, comment);
}

/* An option that does nothing would be taken for one that does. */
static int check_options(const struct ctl *ctl, const char *action, struct pt_error *err)
{
	static const struct {
		const char *option, *actions[4];
	} uses[] = {
		{"waves", {"apply"}},
		{"gate", {"apply"}},
		{"soak", {"apply"}},
		{"confirm", {"apply"}},
		{"max_missing", {"apply"}},
		{"revert", {"apply"}},
		{"prune", {"apply", "diff", "status"}},
		{"dry_run", {"apply", "undo"}},
		{"check", {"diff", "status"}},
	};
	for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
		const char *option = uses[i].option, *const *of = uses[i].actions;
		struct buf name = BUF_INIT, all = BUF_INIT;
		bool used = !json_object_get(ctl->values, option);
		for (; *of; of++) {
			used |= !strcmp(*of, action);
			buf_addf(&all, "%s'%s'", all.length ? ", " : "", *of);
		}
		for (const char *at = option; *at; at++)
			buf_addc(&name, *at == '_' ? '-' : *at);
		if (!used)
			pt_fail(err, -PT_EREQUEST, option,
			        "'%s' does not use '--%s', which is for %s", action, name.data,
			        all.data);
		buf_free(&name);
		buf_free(&all);
	}
	return err->count ? -PT_EREQUEST : 0;
}

static int check(const struct ctl *ctl, const char *action, const char *given, struct pt_error *err)
{
	bool needs_folder =
		!strcmp(action, "apply") || !strcmp(action, "diff") ||
		(!strcmp(action, "status") && (ctl_flag(ctl, "check") || ctl_flag(ctl, "prune")));
	if (ctl_text(ctl, "host"))
		return pt_fail(err, -PT_EREQUEST, "host",
		               "fleet's hosts are those of the inventory (-i), or some of them "
		               "(--on)");
	if (needs_folder && !given)
		return pt_fail(err, -PT_EREQUEST, "dir|comment",
		               "DIR is missing: '%s' compares "
		               "hosts with a folder of graphs",
		               action);
	if (given && !strcmp(action, "log"))
		return pt_fail(err, -PT_EREQUEST, "dir|comment", "log takes no DIR");
	return check_options(ctl, action, err);
}

int verb_fleet(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct fleet fleet = {.ctl = ctl};
	const char *action = ctl_text(ctl, "action"), *given = ctl_text(ctl, "dir|comment");
	int code = check(ctl, action, given, &err);
	if (!code)
		code = fleet_init(&fleet, ctl, strcmp(action, "undo") ? given : NULL, &err);
	int status = code ? ctl_refused(ctl, &err) : run(&fleet, action, given);
	fleet_fini(&fleet);
	return status;
}
