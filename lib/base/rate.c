/* SPDX-License-Identifier: BSD-2-Clause */
/* A number and its unit. */
#include "base/rate.h"

#include <errno.h>
#include <pipetool/error.h>
#include <stdlib.h>
#include <string.h>

static double factor_of(char letter)
{
	switch (letter) {
	case 'k': return 1e3;
	case 'M': return 1e6;
	case 'G': return 1e9;
	case 'T': return 1e12;
	}
	return 0;
}

static double number(const char **text)
{
	double whole = 0, place = 1;
	for (; **text >= '0' && **text <= '9'; ++*text)
		whole = whole * 10 + (**text - '0');
	if (**text != '.')
		return whole;
	for (++*text; **text >= '0' && **text <= '9'; ++*text)
		whole += (**text - '0') * (place /= 10);
	return whole;
}

int rate_read(const char *param, const char *text, double *bits_s, struct pt_error *err)
{
	const char *unit = text;
	double n = number(&unit);
	unit += strspn(unit, " ");
	double factor = factor_of(*unit);
	unit += factor > 0;
	if (n <= 0 || (strcmp(unit, "bit") && strcmp(unit, "bit/s")))
		return pt_fail(err, -EINVAL, param,
		               "'%s' must be bits a second, as '10Mbit' or '2.5Gbit', not '%s'",
		               param, text);
	*bits_s = factor > 0 ? n * factor : n;
	return 0;
}
