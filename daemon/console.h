/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's standard output: where the engines' consoles print. */
#ifndef DAEMON_CONSOLE_H
#define DAEMON_CONSOLE_H

#include "base/mailbox.h"
#include <stdbool.h>
#include <stddef.h>

#define CONSOLE_WAITING_MAX (4 * 1024 * 1024)

/* Belongs to the control loop, which it never holds up: a thread writes. Where the standard output
   is the journal, each line becomes an entry that knows its engine and block; where it is the file
   that the log goes to, each line begins with the time and both. */
struct console;

struct console *console_new(int fd, struct mailbox *);

/* Adds text. While more than CONSOLE_WAITING_MAX wait to be written, text is dropped and counted,
   which is logged when it begins and when it ends; so is one that alone is longer. */
void console_write(struct console *, const char *engine, const char *block, const char *text,
                   size_t length);
void console_push(struct console *); /* all that was added may be written now */

bool console_is_behind(const struct console *); /* text is being dropped */
bool console_idle(const struct console *);      /* nothing waits */

/* To be called when idle; otherwise it waits for whoever reads. */
void console_free(struct console *);

#endif
