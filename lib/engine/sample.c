/* SPDX-License-Identifier: BSD-2-Clause */
/* A timer on the clock of one thread, and its signal. */
#include "engine/sample.h"

#include "base/clock.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define EVERY_NS 5000000 /* the kernel looks at each of its ticks: every 4 ms, mostly */

/* On the engine's thread, in the middle of whatever it does. */
static void on_sample(int signal, siginfo_t *info, void *context)
{
	int before = errno;
	struct pt_engine *e = info->si_value.sival_ptr;
	if (info->si_code != SI_TIMER || !e)
		return;
	struct pt_block *b = atomic_load_explicit(&e->runs, memory_order_relaxed);
	uint64_t now = clock_of_ns(CLOCK_THREAD_CPUTIME_ID);
	if (b)
		b->count.cpu_ns += now - e->sampled_ns;
	e->sampled_ns = now;
	errno = before;
}

static bool handler_is_ours;

static void install(void)
{
	const struct sigaction ours = {.sa_sigaction = on_sample,
	                               .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction before;
	handler_is_ours = !sigaction(SIGPROF, NULL, &before) && before.sa_handler == SIG_DFL &&
	                  !sigaction(SIGPROF, &ours, NULL);
}

void sample_begin(struct pt_engine *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGPROF,
		.sigev_value.sival_ptr = e,
	};
	const struct itimerspec every = {{.tv_nsec = EVERY_NS}, {.tv_nsec = EVERY_NS}};
	sigset_t signals;
	pthread_once(&once, install);
	event._sigev_un._tid = gettid();
	e->samples = handler_is_ours && !timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &e->sampler);
	if (!e->samples)
		return;
	e->sampled_ns = clock_of_ns(CLOCK_THREAD_CPUTIME_ID);
	sigemptyset(&signals);
	sigaddset(&signals, SIGPROF);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	timer_settime(e->sampler, 0, &every, NULL);
}

void sample_end(struct pt_engine *e)
{
	if (e->samples)
		timer_delete(e->sampler);
	e->samples = false;
}
