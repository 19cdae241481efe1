/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue of buffers between an owner who fills them and a thread that writes them out. */
#include "base/writer_inside.h"

#include "base/buf.h"
#include "base/thread.h"
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#define BUFFER_SIZE ((size_t)1024 * 1024)
#define BUFFERS     4
#define FETCH_LINE  64
#define FETCH_MAX   256

static const struct writer_at no_place = {.length = -1, .fd = -1};

struct writer *writer_new(const struct writer_config *config)
{
	struct writer *w = must_calloc(1, sizeof *w);
	w->config = *config;
	if (!w->config.buffer_size)
		w->config.buffer_size = BUFFER_SIZE;
	if (!w->config.buffers)
		w->config.buffers = BUFFERS;
	w->last = &w->first;
	w->flags = -1;
	w->marked = no_place;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	pthread_cond_init(&w->idle, NULL);
	return w;
}

/* A thread is woken for several buffers at once, and wakes others when it has made room for
   several: a wake-up costs as much as some thousand packets. */
static unsigned half(const struct writer *w)
{
	return w->config.buffers > 1 ? w->config.buffers / 2 : 1;
}

bool writer_has_much_room(const struct writer *w)
{
	return atomic_load(&w->in_use) <= half(w);
}

int writer_error(const struct writer *w)
{
	return atomic_load(&w->error);
}

static size_t filled(const struct writer *w)
{
	return atomic_load_explicit(&w->filled, memory_order_relaxed);
}

size_t writer_pending(const struct writer *w)
{
	return atomic_load(&w->pending) + filled(w);
}

bool writer_is_shut(struct writer *w)
{
	if (!atomic_load(&w->shut) || w->current)
		return false;
	pthread_mutex_lock(&w->lock);
	bool shut = !w->first && !w->busy && !w->pushed && atomic_load(&w->shut);
	pthread_mutex_unlock(&w->lock);
	return shut;
}

static void free_list(struct piece *piece)
{
	while (piece) {
		struct piece *next = piece->next;
		free(piece->arg);
		free(piece);
		piece = next;
	}
}

/* [locked] Who has little to write keeps no memory for it. */
static void put_back(struct writer *w, struct piece *piece)
{
	if (piece->open || piece->mark) {
		free(piece->arg);
		free(piece);
		return;
	}
	atomic_fetch_sub(&w->in_use, piece->share);
	bool quiet = !w->first && piece->length < w->config.buffer_size / 2;
	if (w->config.crew && piece->share == 1)
		crew_give(w->config.crew, piece);
	else if (quiet || piece->share > 1 || w->spares == w->config.buffers) {
		free(piece);
	} else {
		piece->next = w->spare;
		w->spare = piece;
		w->spares++;
	}
	if (quiet) {
		free_list(w->spare);
		w->spare = NULL;
		w->spares = 0;
	}
}

/* [locked] What there is to do now. */
static bool take(struct writer *w, struct piece **piece)
{
	while (!w->first && !w->ending && !w->pushed && !w->config.crew)
		pthread_cond_wait(&w->work, &w->lock);
	*piece = w->pushed ? NULL : w->first;
	if (!*piece)
		return w->pushed;
	w->first = w->first->next;
	if (!w->first)
		w->last = &w->first;
	return true;
}

/* Until there is nothing more to do. */
static void work(struct writer *w)
{
	struct piece *piece;
	pthread_mutex_lock(&w->lock);
	while (take(w, &piece)) {
		w->busy = true;
		w->pushed = piece && piece->pushed;
		pthread_mutex_unlock(&w->lock);
		if (piece)
			writer_carry_out(w, piece);
		else
			writer_pause_filter(w);
		pthread_mutex_lock(&w->lock);
		if (piece)
			put_back(w, piece);
		w->busy = false;
		if (!w->first && !w->pushed)
			pthread_cond_signal(&w->idle);
		if (w->config.progress) {
			pthread_mutex_unlock(&w->lock);
			w->config.progress(w->config.arg);
			pthread_mutex_lock(&w->lock);
		}
	}
	pthread_mutex_unlock(&w->lock);
}

static void *run(void *arg)
{
	struct writer *w = arg;
	work(w);
	int rc = writer_error(w);
	writer_fail(w, rc ? rc : writer_end_file(w, w->end_sync));
	return NULL;
}

static void work_for_crew(struct crew_member *m)
{
	struct writer *w = writer_of_member(m);
	work(w);
	pthread_mutex_lock(&w->lock);
	bool ended = w->ending && !w->first && !w->ended;
	pthread_mutex_unlock(&w->lock);
	if (!ended)
		return;
	int rc = writer_error(w);
	writer_fail(w, rc ? rc : writer_end_file(w, w->end_sync));
	writer_leave_file(w);
	pthread_mutex_lock(&w->lock);
	w->ended = true;
	pthread_cond_signal(&w->idle);
	pthread_mutex_unlock(&w->lock);
}

/* ---- the owner's thread ---- */

/* Signals, SIGPIPE above all, are for others. */
static void start_thread(struct writer *w)
{
	if (w->running || writer_error(w))
		return;
	if (w->config.fd >= 0)
		writer_make_nonblocking(w);
	w->member.work = work_for_crew;
	w->member.shut = writer_shut;
	int rc = w->config.crew ? 0 : thread_start("a writer", 0, run, w, &w->thread, NULL);
	if (rc)
		writer_fail(w, rc);
	w->running = rc == 0;
}

/* [locked] */
static void wake(struct writer *w, bool soon)
{
	int rc = w->config.crew ? crew_wake(w->config.crew, &w->member, soon) : 0;
	if (rc)
		writer_fail(w, rc);
	w->running = w->running && !rc;
	pthread_cond_signal(&w->work);
}

static void add(struct writer *w, struct piece *piece)
{
	pthread_mutex_lock(&w->lock);
	piece->next = NULL;
	*w->last = piece;
	w->last = &piece->next;
	pthread_mutex_unlock(&w->lock);
	w->untold++;
}

static void tell(struct writer *w, bool pushed, bool soon)
{
	start_thread(w);
	w->untold = 0;
	pthread_mutex_lock(&w->lock);
	if (pushed && w->first)
		((struct piece *)w->last)->pushed = true; /* its `next` is first in it */
	else
		w->pushed |= pushed;
	wake(w, soon);
	pthread_mutex_unlock(&w->lock);
}

static void hand_over(struct writer *w)
{
	struct piece *piece = w->current;
	if (!piece || !filled(w))
		return;
	piece->length = filled(w);
	w->current = NULL;
	atomic_fetch_add(&w->pending, piece->length);
	if (w->config.crew)
		atomic_fetch_add(crew_waiting(w->config.crew), piece->size);
	atomic_store_explicit(&w->filled, 0, memory_order_relaxed);
	add(w, piece);
}

void writer_push(struct writer *w)
{
	bool filters = w->config.filter && (w->running || w->untold || w->current);
	hand_over(w);
	if (w->untold || filters)
		tell(w, filters, true);
}

void writer_next(struct writer *w, int (*open)(void *arg), void *arg, bool sync)
{
	hand_over(w);
	struct piece *piece = must_calloc(1, sizeof *piece);
	*piece = (struct piece){.open = open, .arg = arg, .sync = sync};
	add(w, piece);
	if (w->untold >= half(w))
		tell(w, false, true);
}

void writer_mark(struct writer *w, bool pause, bool bare)
{
	hand_over(w);
	struct piece *piece = must_calloc(1, sizeof *piece);
	*piece = (struct piece){.mark = true, .pause = pause, .bare = bare};
	pthread_mutex_lock(&w->lock);
	w->marks++;
	pthread_mutex_unlock(&w->lock);
	add(w, piece);
	tell(w, false, true);
}

bool writer_marked(struct writer *w, struct writer_at *at)
{
	pthread_mutex_lock(&w->lock);
	bool marked = !w->marks;
	*at = marked ? w->marked : no_place;
	pthread_mutex_unlock(&w->lock);
	return marked || writer_error(w);
}

static struct piece *take_spare(struct writer *w)
{
	if (w->config.crew)
		return crew_take(w->config.crew);
	pthread_mutex_lock(&w->lock);
	struct piece *piece = w->spare;
	if (piece) {
		w->spare = piece->next;
		w->spares--;
	}
	pthread_mutex_unlock(&w->lock);
	return piece;
}

static struct piece *take_buffer(struct writer *w, size_t length)
{
	const size_t usual = w->config.buffer_size, most = w->config.buffers + w->config.extra;
	size_t share = length > usual ? (length - 1) / usual + 1 : 1;
	if (share > UINT32_MAX / 2 || atomic_load(&w->in_use) >= most)
		return NULL;
	size_t size = length > usual ? length : usual;
	struct piece *piece = share == 1 ? take_spare(w) : NULL;
	if (!piece)
		piece = malloc(sizeof *piece + size);
	if (!piece)
		return NULL;
	*piece = (struct piece){.share = (unsigned)share, .size = size};
	atomic_fetch_add(&w->in_use, piece->share);
	return piece;
}

uint8_t *writer_room(struct writer *w, size_t length)
{
	if (w->current && w->size - filled(w) < length) {
		hand_over(w);
		if (w->untold >= half(w))
			tell(w, false, false);
	}
	if (!w->current && (w->current = take_buffer(w, length)))
		w->size = w->current->size;
	return w->current ? w->current->bytes + filled(w) : NULL;
}

void writer_advance(struct writer *w, size_t length)
{
	assert(w->current && length <= w->size - filled(w));
	atomic_store_explicit(&w->filled, filled(w) + length, memory_order_relaxed);
	if (w->size > w->config.buffer_size) {
		hand_over(w);
		tell(w, false, false);
	}
}

void writer_fetch(const struct writer *w, size_t length)
{
	const uint8_t *to = w->current ? w->current->bytes + filled(w) : NULL;
	for (size_t at = 0; to && at < length + FETCH_LINE && at < FETCH_MAX; at += FETCH_LINE)
		__builtin_prefetch(to + at, 1);
}

bool writer_has_room(const struct writer *w)
{
	unsigned in_use = atomic_load(&w->in_use);
	if (in_use < w->config.buffers)
		return true;
	return in_use == w->config.buffers && w->current && filled(w) <= w->config.buffer_size / 2;
}

static void await_idle(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	if (w->running)
		wake(w, true);
	while (w->running && (w->first || w->busy || w->pushed))
		pthread_cond_wait(&w->idle, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

int writer_flush(struct writer *w, bool sync)
{
	atomic_store(&w->awaited, true);
	writer_push(w);
	await_idle(w);
	if (sync && w->config.fd >= 0 && !writer_error(w))
		writer_fail(w, writer_sync(w));
	atomic_store(&w->awaited, false);
	return writer_error(w);
}

static void end_thread(struct writer *w, bool sync)
{
	atomic_store(&w->awaited, true);
	hand_over(w);
	if (w->untold)
		tell(w, false, false);
	if (!w->running && w->config.fd >= 0 && w->config.filter)
		start_thread(w);
	if (!w->running) {
		if (sync && w->config.fd >= 0)
			writer_fail(w, writer_sync(w));
		return;
	}
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	w->end_sync = sync;
	wake(w, true);
	while (w->config.crew && w->running && !w->ended)
		pthread_cond_wait(&w->idle, &w->lock);
	pthread_mutex_unlock(&w->lock);
	if (!w->config.crew)
		pthread_join(w->thread, NULL);
}

/* Nobody was there to write it, which is an error. */
static void lose_list(struct writer *w)
{
	for (const struct piece *piece = w->first; piece; piece = piece->next)
		writer_carry_out(w, piece);
}

int writer_free(struct writer *w, bool sync)
{
	if (!w)
		return 0;
	end_thread(w, sync);
	if (w->config.crew)
		crew_leave(w->config.crew, &w->member);
	writer_fail(w, writer_close(w));
	int rc = writer_error(w);
	lose_list(w);
	free(w->current);
	free_list(w->first);
	free_list(w->spare);
	if (w->marked.fd >= 0)
		close(w->marked.fd);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->work);
	pthread_cond_destroy(&w->idle);
	free(w);
	return rc;
}
