/* SPDX-License-Identifier: BSD-2-Clause */
/* libnats with its callbacks, and what of it is to be told. */
#include "nats/bus.h"

#include "base/buf.h"
#include "base/error.h"
#include <errno.h>
#include <jansson.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS   2000
#define RECONNECT_MS 200
#define TRIES        300 /* a minute: then the connection is made anew */
#define PING_MS      5000
#define WRITE_MS     10000
#define BUFFER       65536

struct bus {
	struct who_params who;
	const char *const *folders; /* that its files may lie in */
	struct bus_hooks hooks;
	natsOptions *options;
	natsConnection *connection;
	pthread_mutex_t lock;
	pthread_cond_t gone;
	bool up, ended; /* ended: the library has called for the last time */
	unsigned users; /* other threads that are in a call for the connection */
	char *denied;
};

/* ---- what the library tells ---- */

static void set_up(struct bus *bus, natsConnection *nc)
{
	pthread_mutex_lock(&bus->lock);
	bus->up = natsConnection_Status(nc) == NATS_CONN_STATUS_CONNECTED;
	pthread_mutex_unlock(&bus->lock);
	bus->hooks.changed(bus->hooks.arg);
}

static void on_change(natsConnection *nc, void *arg)
{
	set_up(arg, nc);
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *arg)
{
	struct bus *bus = arg;
	const char *words = NULL;
	if (s != NATS_NOT_PERMITTED)
		return;
	natsConnection_GetLastError(nc, &words);
	pthread_mutex_lock(&bus->lock);
	free(bus->denied);
	bus->denied = must_strdup(words ? words : "not permitted");
	pthread_mutex_unlock(&bus->lock);
	bus->hooks.denied(bus->hooks.arg, words ? words : "not permitted");
}

static void on_closed(natsConnection *nc, void *arg)
{
	struct bus *bus = arg;
	set_up(bus, nc);
	pthread_mutex_lock(&bus->lock);
	bus->ended = true;
	pthread_cond_broadcast(&bus->gone);
	pthread_mutex_unlock(&bus->lock);
}

/* ---- life ---- */

static natsStatus set_all(struct bus *bus, char **servers, int count)
{
	natsOptions *o = bus->options;
	const natsStatus all[] = {
		natsOptions_SetServers(o, (const char **)(uintptr_t)servers, count),
		natsOptions_SetName(o, "pipetoold"),
		natsOptions_SetTimeout(o, CONNECT_MS),
		natsOptions_SetAllowReconnect(o, true),
		natsOptions_SetMaxReconnect(o, TRIES),
		natsOptions_SetReconnectWait(o, RECONNECT_MS),
		natsOptions_SetReconnectBufSize(o, BUFFER),
		natsOptions_SetPingInterval(o, PING_MS),
		natsOptions_SetWriteDeadline(o, WRITE_MS),
		natsOptions_SetSendAsap(o, true),
		natsOptions_SetDisconnectedCB(o, on_change, bus),
		natsOptions_SetReconnectedCB(o, on_change, bus),
		natsOptions_SetClosedCB(o, on_closed, bus),
		natsOptions_SetErrorHandler(o, on_error, bus),
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i] != NATS_OK)
			return all[i];
	return NATS_OK;
}

/* Anew for each connection: what the files say may be something else by then. */
static int set_up_options(struct bus *bus, struct pt_error *err)
{
	unsigned count;
	char **servers = who_servers(bus->who.url, &count);
	natsOptions_Destroy(bus->options);
	bus->options = NULL;
	natsStatus s = natsOptions_Create(&bus->options);
	if (s == NATS_OK)
		s = set_all(bus, servers, (int)count);
	texts_free(servers);
	if (s != NATS_OK)
		return pt_fail(err, -EINVAL, "url", "'%s': %s", bus->who.url,
		               natsStatus_GetText(s));
	return who_set(bus->folders, &bus->who, bus->options, err);
}

struct bus *bus_new(const struct pt_block *b, const struct who_params *params,
                    const struct bus_hooks *hooks)
{
	struct bus *bus = must_calloc(1, sizeof *bus);
	bus->who = who_copy(params);
	bus->folders = pt_folders(b, NULL);
	bus->hooks = *hooks;
	pthread_mutex_init(&bus->lock, NULL);
	pthread_cond_init(&bus->gone, NULL);
	return bus;
}

/* The library calls until it has said that it is closed. */
static void let_go(struct bus *bus)
{
	natsConnection *nc = bus->connection;
	if (!nc)
		return;
	natsConnection_Close(nc);
	pthread_mutex_lock(&bus->lock);
	bus->connection = NULL;
	while (!bus->ended || bus->users)
		pthread_cond_wait(&bus->gone, &bus->lock);
	bus->ended = false;
	pthread_mutex_unlock(&bus->lock);
	natsConnection_Destroy(nc);
}

static int not_connected(const struct bus *bus, natsStatus s, struct pt_error *err)
{
	const char *words = nats_GetLastError(NULL);
	bool away = s == NATS_NO_SERVER || s == NATS_IO_ERROR || s == NATS_TIMEOUT ||
	            s == NATS_CONNECTION_CLOSED || s == NATS_CONNECTION_DISCONNECTED ||
	            s == NATS_SYS_ERROR || s == NATS_STALE_CONNECTION;
	if (away)
		return pt_fail(err, -EAGAIN, "url", "no server answers at %s", bus->who.url);
	int rc = pt_fail(err, -PT_EIO, "url", "the server at %s refuses: %s%s%s", bus->who.url,
	                 natsStatus_GetText(s), words && *words ? ": " : "", words ? words : "");
	if (s == NATS_CONNECTION_AUTH_FAILED || s == NATS_NOT_PERMITTED)
		pt_hint(err, "credentials names the file that says who it is");
	else if (s == NATS_SSL_ERROR || s == NATS_SECURE_CONNECTION_REQUIRED ||
	         s == NATS_SECURE_CONNECTION_WANTED)
		pt_hint(err, "tls says whom to trust, and has one's own certificate");
	return rc;
}

int bus_connect(struct bus *bus, struct pt_error *err)
{
	natsConnection *nc = NULL;
	let_go(bus);
	int rc = set_up_options(bus, err);
	if (rc) /* -EAGAIN stands for a server */
		return rc == -EAGAIN ? -PT_EIO : rc;
	natsStatus s = natsConnection_Connect(&nc, bus->options);
	if (s != NATS_OK)
		return not_connected(bus, s, err);
	pthread_mutex_lock(&bus->lock);
	bus->connection = nc;
	free(bus->denied);
	bus->denied = NULL;
	pthread_mutex_unlock(&bus->lock);
	set_up(bus, nc);
	if (natsConnection_HasHeaderSupport(nc) == NATS_OK)
		return 0;
	return pt_fail(err, -PT_EIO, "url", "the server at %s is older than 2.2", bus->who.url);
}

natsConnection *bus_connection(struct bus *bus)
{
	pthread_mutex_lock(&bus->lock);
	natsConnection *nc = bus->connection;
	pthread_mutex_unlock(&bus->lock);
	return nc;
}

/* The connection is not freed until it is given back. */
static natsConnection *take(struct bus *bus)
{
	pthread_mutex_lock(&bus->lock);
	natsConnection *nc = bus->connection;
	bus->users++;
	pthread_mutex_unlock(&bus->lock);
	return nc;
}

static void give_back(struct bus *bus)
{
	pthread_mutex_lock(&bus->lock);
	if (!--bus->users)
		pthread_cond_broadcast(&bus->gone);
	pthread_mutex_unlock(&bus->lock);
}

int bus_publish(struct bus *bus, natsMsg *m)
{
	natsConnection *nc = take(bus);
	natsStatus s = nc ? natsConnection_PublishMsg(nc, m) : NATS_CONNECTION_CLOSED;
	give_back(bus);
	return (int)s;
}

bool bus_is_up(struct bus *bus)
{
	pthread_mutex_lock(&bus->lock);
	bool up = bus->up;
	pthread_mutex_unlock(&bus->lock);
	return up;
}

bool bus_is_closed(struct bus *bus)
{
	natsConnection *nc = bus_connection(bus);
	return !nc || natsConnection_IsClosed(nc);
}

void bus_server(struct bus *bus, char *text, size_t size)
{
	text[0] = 0;
	pthread_mutex_lock(&bus->lock);
	if (bus->connection && bus->up)
		natsConnection_GetConnectedUrl(bus->connection, text, size);
	pthread_mutex_unlock(&bus->lock);
}

char *bus_denied(struct bus *bus)
{
	pthread_mutex_lock(&bus->lock);
	char *denied = bus->denied;
	bus->denied = NULL;
	pthread_mutex_unlock(&bus->lock);
	return denied;
}

void bus_close(struct bus *bus)
{
	natsConnection *nc = take(bus);
	if (nc)
		natsConnection_Close(nc);
	give_back(bus);
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;
	let_go(bus);
	natsOptions_Destroy(bus->options);
	pthread_cond_destroy(&bus->gone);
	pthread_mutex_destroy(&bus->lock);
	free(bus->denied);
	who_free(&bus->who);
	free(bus);
}
