/* SPDX-License-Identifier: BSD-2-Clause */
/* Dates as people write them. */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include <stdint.h>

/* Nanoseconds since 1970 of "2026-11-29", "2026-11-29 10:00", "2026-11-29T10:00:00.5Z",
   "2026-11-29 10:00:00+02:00": UTC unless an offset is given. 0; -EINVAL; -ERANGE of years that do
   not fit (before 1678, after 2261). */
int date_parse(const char *text, int64_t *ns);

#endif
