/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors that the process was started with, by name. */
#ifndef BASE_NAMED_FD_H
#define BASE_NAMED_FD_H

#include <pipetool/error.h>

/* Adds one, which is the table's from now on, for as long as the process runs. Only before there
   are threads. Of several with one name the first is found. */
void named_fd_add(const char *name, int fd);

/* From now on there is one of every name, by which nothing comes: for who only checks what another
   process will be given. As early as that. */
void named_fd_add_any(void);

/* A descriptor of the caller's own (dup), or a negative code: with the nearest name, under `param`.
   [any thread] */
int named_fd_get(const char *name, const char *param, struct pt_error *);

#endif
