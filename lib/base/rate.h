/* SPDX-License-Identifier: BSD-2-Clause */
/* How much in how long, as people write it. */
#ifndef BASE_RATE_H
#define BASE_RATE_H

struct pt_error;

/* "10Mbit", "2.5 Gbit/s", "9600bit": bits a second, by thousands. A fault stands under `param`. */
int rate_read(const char *param, const char *text, double *bits_s, struct pt_error *);

#endif
