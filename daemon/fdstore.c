/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of commands, and a thread that carries them out in order. */
#include "daemon/fdstore.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/thread.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define BARRIER_US 2000000

/* To be told to the service manager: to keep a descriptor (and to close our copy), to let one go,
   or, without a name, to say that all this was done. */
struct command {
	struct command *next;
	uint64_t number;
	char *name;
	int fd;
};

struct fdstore {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	pthread_t thread;
	struct command *first, **last;
	uint64_t asked, settled; /* the last command that is, and that was told */
	bool busy, ending, failed;
	uint64_t removed,
		confirmed; /* the last command that removes; the last that is done for sure */
};

static int tell(const struct command *c)
{
	if (!c->name)
		return sd_notify_barrier(0, BARRIER_US);
	char *text = must_printf(c->fd >= 0 ? "FDSTORE=1\nFDPOLL=0\nFDNAME=%s"
	                                    : "FDSTOREREMOVE=1\nFDNAME=%s",
	                         c->name);
	int rc = c->fd >= 0 ? sd_pid_notify_with_fds(0, 0, text, &c->fd, 1) : sd_notify(0, text);
	free(text);
	return rc;
}

static void command_free(struct command *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->name);
	free(c);
}

static struct command *next_command(struct fdstore *f)
{
	while (!f->first && !f->ending)
		pthread_cond_wait(&f->work, &f->lock);
	struct command *c = f->first;
	if (c)
		f->first = c->next;
	if (!f->first)
		f->last = &f->first;
	return c;
}

static void *run(void *arg)
{
	struct fdstore *f = arg;
	pthread_mutex_lock(&f->lock);
	for (struct command *c; (c = next_command(f));) {
		f->busy = true;
		pthread_mutex_unlock(&f->lock);
		int rc = tell(c);
		bool news = rc < 0 && !f->failed;
		uint64_t number = c->number;
		if (news)
			log_warning("the service manager does not keep what engines leave: %s",
			            error_words(rc));
		command_free(c);
		pthread_mutex_lock(&f->lock);
		f->busy = false;
		f->failed |= news;
		f->settled = number;
		pthread_cond_broadcast(&f->done);
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* [locked, as the next one] Takes the name and the descriptor. */
static void ask(struct fdstore *f, char *name, int fd)
{
	struct command *c = must_calloc(1, sizeof *c);
	*c = (struct command){.number = ++f->asked, .name = name, .fd = fd};
	*f->last = c;
	f->last = &c->next;
	pthread_cond_signal(&f->work);
}

/* Takes back what was not told yet, so that nothing piles up while the service manager is slow. */
static bool unask_store(struct fdstore *f, const char *name)
{
	for (struct command **at = &f->first; *at; at = &(*at)->next) {
		struct command *c = *at;
		if (c->fd < 0 || strcmp(c->name, name))
			continue;
		*at = c->next;
		if (!c->next)
			f->last = at;
		command_free(c);
		return true;
	}
	return false;
}

void fdstore_put(struct fdstore *f, char *name, int fd)
{
	pthread_mutex_lock(&f->lock);
	ask(f, name, fd);
	pthread_mutex_unlock(&f->lock);
}

void fdstore_remove(struct fdstore *f, char *name)
{
	pthread_mutex_lock(&f->lock);
	if (unask_store(f, name)) {
		free(name);
	} else {
		ask(f, name, -1);
		f->removed = f->asked;
	}
	pthread_mutex_unlock(&f->lock);
}

bool fdstore_is_told(struct fdstore *f)
{
	pthread_mutex_lock(&f->lock);
	bool told = !f->first && !f->busy;
	pthread_mutex_unlock(&f->lock);
	return told;
}

void fdstore_settle(struct fdstore *f)
{
	pthread_mutex_lock(&f->lock);
	if (f->removed > f->confirmed) {
		ask(f, NULL, -1);
		uint64_t until = f->asked;
		while (f->settled < until)
			pthread_cond_wait(&f->done, &f->lock);
		f->confirmed = until;
	}
	pthread_mutex_unlock(&f->lock);
}

static void clear(struct fdstore *f)
{
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->work);
	pthread_cond_destroy(&f->done);
	free(f);
}

int fdstore_new(struct fdstore **out, struct pt_error *err)
{
	struct fdstore *f = must_calloc(1, sizeof *f);
	f->last = &f->first;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->work, NULL);
	pthread_cond_init(&f->done, NULL);
	int rc = thread_start("the thread that keeps descriptors", 0, run, f, &f->thread, err);
	if (rc)
		clear(f);
	else
		*out = f;
	return rc;
}

void fdstore_free(struct fdstore *f)
{
	pthread_mutex_lock(&f->lock);
	f->ending = true;
	pthread_cond_signal(&f->work);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	clear(f);
}
