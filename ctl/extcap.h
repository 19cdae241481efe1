/* SPDX-License-Identifier: BSD-2-Clause */
/* Wireshark's extcap protocol: it calls ptctl, under whatever name, for what it may capture on. */
#ifndef CTL_EXTCAP_H
#define CTL_EXTCAP_H

#include "ctl/ctl.h"

extern const struct pt_param extcap_rows[]; /* the options that Wireshark gives */

/* Whether it is what calls. */
bool extcap_calls(int count, char *const *words);
/* Does what these words, all options, ask for. Returns the exit status. */
int extcap_run(struct ctl *, int count, char *const *words);

#endif
