/* SPDX-License-Identifier: BSD-2-Clause */
/* How many hosts are changed one after the other. */
#include "ctl/fleet_wave.h"

#include "base/buf.h"
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool read_number(const char *text, double *number, bool *share)
{
	char *end;
	*number = isdigit((unsigned char)*text) ? strtod(text, &end) : -1;
	if (*number < 0 || strspn(text, "0123456789.") != (size_t)(end - text))
		return false;
	*share = *end == '%';
	end += *share;
	return !*end && !(*share && *number > 100);
}

static int read_waves(char *list, size_t hosts, size_t *totals, size_t *count, struct pt_error *err)
{
	size_t before = 0;
	for (char *word; (word = strsep(&list, ","));) {
		double number;
		bool share;
		if (!read_number(word, &number, &share) || (!share && number != floor(number)))
			return pt_fail(err, -PT_EREQUEST, "waves",
			               "'--waves' takes numbers of hosts, or per cents, as "
			               "'%s', not '%s'",
			               WAVES_USUAL, word);
		/* so that 10 % of 20 is 2, whatever binary fractions make of it */
		double exact = share ? ceil(number * (double)hosts / 100 - 1e-9) : number;
		size_t total = exact < (double)hosts ? (size_t)exact : hosts;
		if (total > before)
			totals[(*count)++] = before = total;
	}
	return 0;
}

int waves_read(const char *text, size_t hosts, size_t **totals, size_t *count, struct pt_error *err)
{
	char *list = must_strdup(text);
	*totals = must_calloc(strlen(text) + 1, sizeof **totals);
	*count = 0;
	int rc = read_waves(list, hosts, *totals, count, err);
	free(list);
	if (rc) {
		free(*totals);
		*totals = NULL;
	}
	return rc;
}

int waves_share(const char *option, const char *text, size_t of, size_t *number,
                struct pt_error *err)
{
	double value;
	bool share;
	if (!read_number(text, &value, &share) || !share)
		return pt_fail(err, -PT_EREQUEST, option,
		               "'--%s' takes a per cent, as '5%%', not "
		               "'%s'",
		               option, text);
	*number = (size_t)floor(value * (double)of / 100 + 1e-9);
	return 0;
}
