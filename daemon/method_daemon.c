/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon.info, daemon.metrics and rpc.discover. */
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/metrics.h"
#include "daemon/pull.h"
#include "paths.h"
#include <stdlib.h>
#include <unistd.h>

static json_t *limits(const struct conf *conf)
{
	json_t *limits = json_object();
	json_object_set_new(limits, "connections", json_integer(conf->connections));
	json_object_set_new(limits, "engines", json_integer(conf->engines_max));
	json_object_set_new(limits, "blocks", json_integer(conf->blocks_max));
	json_object_set_new(limits, "line", json_integer((json_int_t)conf->line));
	json_object_set_new(limits, "memory", json_integer((json_int_t)conf->memory));
	json_object_set_new(limits, "script_time_s", json_real(conf->script_time_s));
	json_object_set_new(limits, "script_memory", json_integer((json_int_t)conf->script_memory));
	return limits;
}

static json_t *capabilities(void)
{
	static const char *const words[] = {"attach", "fds", "discover"};
	json_t *list = json_array();
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		json_array_append_new(list, json_string(words[i]));
	return list;
}

static void daemon_info(void *arg)
{
	struct call *call = arg;
	const struct daemon *d = call->daemon;
	json_t *info = json_object();
	json_object_set_new(info, "name", json_string("pipetoold"));
	json_object_set_new(info, "version", json_string(PIPETOOL_VERSION));
	json_object_set_new(info, "api", json_integer(PT_API));
	json_object_set_new(info, "pid", json_integer(getpid()));
	json_object_set_new(info, "uptime_s",
	                    json_real((double)(uv_now(&d->loop) - d->started_ms) / 1000));
	json_object_set_new(info, "engines", json_integer((json_int_t)engines_count(d->engines)));
	char *folder = daemon_engines_folder(d);
	json_object_set_new(info, "folder", json_string(folder));
	free(folder);
	json_object_set_new(info, "limits", limits(&d->conf));
	json_object_set_new(info, "capabilities", capabilities());
	json_t *fleet = pull_info(d->pull);
	if (fleet)
		json_object_set_new(info, "fleet", fleet);
	call_answer(call, info);
}

static void told(void *call, struct buf *text)
{
	json_t *result = json_object();
	json_object_set_new(result, "text", json_stringn_nocheck(text->data, text->length));
	call_answer(call, result);
}

static void daemon_metrics(void *arg)
{
	struct call *call = arg;
	metrics_gather(call->daemon, told, call);
}

static void discover(void *arg)
{
	call_answer(arg, rpc_discover(method_tables, "pipetoold", PIPETOOL_VERSION));
}

/* clang-format off */
const struct rpc_method daemon_methods[] = {
	{
		.name = "daemon.info",
		.summary = "What runs here, for how long, and what it allows",
		.help = "`engines` is their number, `folder` the one of their files. `fleet` is "
		        "there where the host applies a folder by itself ([fleet]): `state` is "
		        "reading, watching, applied, refused (nothing was changed), or taken back, "
		        "`why` tells why, `hash` is of what lies there, `applied` of what was "
		        "confirmed last (sha256sum *.pipe | sha256sum), `engines` are those that "
		        "it has.",
		.result = "{name, version, api, pid, uptime_s, engines, folder, limits, "
			  "capabilities, fleet?: {from, state, why?, since?, hash?, applied?, "
			  "engines}}",
		.role = "viewer",
		.run = daemon_info,
	}, {
		.name = "daemon.metrics",
		.summary = "The counts of all engines in the text format of OpenMetrics",
		.help = "Of an engine that does not answer within two seconds there is its state "
		        "alone.",
		.result = "{text}",
		.role = "viewer",
		.run = daemon_metrics,
	}, {
		.name = "rpc.discover",
		.summary = "All methods with their parameters, as an OpenRPC document",
		.help = "It is made of the tables that check the requests.",
		.result = "an OpenRPC document",
		.role = "viewer",
		.run = discover,
	},
	{0}
};
/* clang-format on */
