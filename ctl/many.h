/* SPDX-License-Identifier: BSD-2-Clause */
/* One verb on several hosts, side by side. */
#ifndef CTL_MANY_H
#define CTL_MANY_H

#include "ctl/ctl.h"
#include "ctl/hosts.h"

/*
 * Each host has a process, which runs the verb as ptctl does on one: at most `jobs` at a time. What
 * a host prints has "NAME: " before each line: of a verb that ends all of it together, when that
 * host is done; of a stream line by line. With -j each host's documents are the "result", or its
 * refusal the "error", of an object that names the "host". Standard input is read once and given to
 * all. A host whose daemon is not reached within the time-out is given up. Returns the greatest
 * exit status.
 */
int many_run(struct ctl *, const struct hosts *, unsigned jobs, int (*run)(struct ctl *));

/* Refuses what takes one host. */
int many_check(const struct ctl *, const struct hosts *, struct pt_error *);

#endif
