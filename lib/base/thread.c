/* SPDX-License-Identifier: BSD-2-Clause */
/* pthread_create, and the words where it fails. */
#include "base/thread.h"

#include "base/error.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

static size_t whole_pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
	return ((size > least ? size : least) + page - 1) / page * page;
}

static int start(size_t stack, void *(*run)(void *), void *arg, pthread_t *thread)
{
	pthread_attr_t attributes;
	pthread_t nobodys;
	sigset_t all, before;
	int rc = pthread_attr_init(&attributes);
	if (rc)
		return rc;
	if (stack)
		pthread_attr_setstacksize(&attributes, whole_pages(stack));
	if (!thread)
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(thread ? thread : &nobodys, &attributes, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return rc;
}

int thread_start(const char *what, size_t stack, void *(*run)(void *), void *arg, pthread_t *thread,
                 struct pt_error *err)
{
	int rc = start(stack, run, arg, thread);
	if (!rc)
		return 0;
	pt_fail(err, -PT_ELIMIT, NULL,
	        "%s cannot be started: %s; raise the limit of processes (ulimit -u, TasksMax= of "
	        "the unit) or of memory, or have fewer engines",
	        what, rc == EAGAIN ? "there is no thread left" : error_words(-rc));
	return -PT_ELIMIT;
}
