/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon as a whole: what belongs together on the control loop, from the first line of the
   configuration to the clean end. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "daemon/conf.h"
#include "base/mailbox.h"
#include "daemon/options.h"
#include <uv.h>

struct boot;
struct console;
struct engines;
struct events;
struct http;
struct journal;
struct store;
struct load;
struct loaded;
struct notify;
struct pull;
struct server;
struct watchdog;

struct daemon {
	const struct options *options;
	struct conf conf;
	uv_loop_t loop;
	struct mailbox mailbox;
	struct journal *journal; /* NULL: nothing is kept */
	struct store *store;     /* NULL: the service manager keeps nothing */
	struct loaded *loaded;
	struct load *loading; /* for calls of type.load, one after the other */
	struct engines *engines;
	struct events *events;
	struct server *server;
	struct http *http; /* NULL: there is none */
	struct console *console;
	struct boot *boot;
	struct notify *notify;
	struct pull *pull;
	struct watchdog *watchdog;
	struct net_watch *net; /* NULL: nothing is told of interfaces */
	uint64_t started_ms;   /* of the loop's clock */
	uint64_t lost_told_ms;
	uint64_t lost; /* texts of engines, not yet logged */
	uv_signal_t signals[3];
	uv_poll_t ends_with;
	uv_timer_t deadline; /* of the beginning, of a reload, and of the end */
	uv_prepare_t ending_turn;
	unsigned loads;      /* what workers do for calls: the end waits for them */
	unsigned beginnings; /* that are still awaited: what was kept, what is in files */
	bool ready, ending, engines_ended;
	uint64_t ending_since_ms;
	bool bad_conf; /* what the last reload found is not in use */
};

/* Runs until told to end. Returns the exit status; what went wrong was logged. */
int daemon_run(const struct options *);

/* The folder of the engines' files, absolute if it is there; to be freed. */
char *daemon_engines_folder(const struct daemon *);

/* --check: everything that the daemon would read, and what is wrong with it, on standard error. */
int daemon_check(const struct options *);

#endif
