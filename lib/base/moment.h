/* SPDX-License-Identifier: BSD-2-Clause */
/* Moments, as messages have them: nanoseconds since 1970, UTC, from 1677 to 2262. */
#ifndef BASE_MOMENT_H
#define BASE_MOMENT_H

#include <stdint.h>

#define MOMENT_S   INT64_C(1000000000)
#define MOMENT_MAX 32 /* of a moment's text */

int64_t moment_now(void);

/* How long after `from` it is; 0: it is not. Two moments may be 584 years apart. */
static inline uint64_t moment_since(int64_t from, int64_t ns)
{
	return ns > from ? (uint64_t)ns - (uint64_t)from : 0;
}

/* As the nearest number of seconds; and back: a number that is nearest to whole microseconds is
   those, since more is not in it in this century, else the nearest nanosecond. -ERANGE. */
double moment_seconds(int64_t ns);
int moment_from_seconds(double seconds, int64_t *ns);

/* "12.500000000", "-0.000000001"; and back, from seconds of any length: -EINVAL for another text or
   less than a nanosecond, -ERANGE. */
void moment_print(int64_t ns, char text[MOMENT_MAX]);
int moment_parse(const char *text, int64_t *ns);

/* How long: "-1h", "1h30m", "1.5s", "250us"; units are d h m s ms us ns, the whole may have a sign.
   -EINVAL, or -ERANGE. */
int moment_parse_span(const char *text, int64_t *ns);

#endif
