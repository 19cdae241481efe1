/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that must be had. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * For small allocations of the control plane: where there is no memory for them, the process ends
 * at once, with a line on standard error and status 1, so that whoever supervises it starts it anew
 * from what was kept. What a user or the traffic sizes is asked of malloc, and refused or dropped.
 */
void *must_malloc(size_t size);
void *must_calloc(size_t count, size_t size);
void *must_realloc(void *, size_t count, size_t size);
char *must_strdup(const char *);
char **texts_copy(const char *const *); /* a list that ends with NULL; NULL gives NULL */
void texts_free(char **);
char *must_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Whether there is so much now: to be asked before what cannot be refused on the way. */
bool memory_is_there(size_t size);

void out_of_memory(void) __attribute__((noreturn));
void out_of_memory_says(const char *words); /* what the line goes on with: "; what …" */

#endif
