/* SPDX-License-Identifier: BSD-2-Clause */
/* Terms about counts. */
#include "fleet/gate.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 3 };

static const struct {
	const char *name, *were;
	char sign;
	size_t offset;
} words[] = {
	{"dropped", "were dropped", '<', offsetof(struct gate_counts, dropped)},
	{"errors", "ended in errors", '<', offsetof(struct gate_counts, errors)},
	{"filtered", "were filtered", '<', offsetof(struct gate_counts, filtered)},
	[MESSAGES] = {"messages", "came", '>', offsetof(struct gate_counts, messages)},
};

struct term {
	size_t word;
	bool before, share; /* than before; in per cent */
	double number;
	char *text;
};

struct gate {
	struct term *terms;
	size_t count;
};

/* ---- reading ---- */

static const char *skip(const char *at)
{
	return at + strspn(at, " \t");
}

static bool take(const char **at, const char *text)
{
	const char *begin = skip(*at);
	size_t length = strlen(text);
	bool word = isalpha((unsigned char)*text);
	if (strncmp(begin, text, length) || (word && isalnum((unsigned char)begin[length])))
		return false;
	*at = begin + length;
	return true;
}

static bool take_number(const char **at, struct term *term)
{
	char *end;
	const char *begin = skip(*at);
	if (!isdigit((unsigned char)*begin) && *begin != '.')
		return false;
	term->number = strtod(begin, &end);
	*at = end;
	term->share = take(at, "%");
	return end != begin;
}

static bool take_term(const char **at, struct term *term)
{
	const size_t count = sizeof words / sizeof *words;
	const char *begin = *at = skip(*at);
	while (term->word < count && !take(at, words[term->word].name))
		term->word++;
	if (term->word == count || !take(at, (const char[]){words[term->word].sign, 0}))
		return false;
	bool less = words[term->word].sign == '<';
	term->before = less && take(at, "before");
	if (term->before && !take(at, "+"))
		return false;
	if (!take_number(at, term) || (!less && term->share))
		return false;
	term->text = must_printf("%.*s", (int)(*at - begin), begin);
	return true;
}

static bool read_terms(struct gate *gate, const char *at)
{
	do {
		struct term term = {0};
		if (!take_term(&at, &term))
			return false;
		gate->terms = must_realloc(gate->terms, gate->count + 1, sizeof *gate->terms);
		gate->terms[gate->count++] = term;
	} while (take(&at, "and"));
	return !*skip(at);
}

int gate_read(const char *text, struct gate **out, struct pt_error *err)
{
	struct gate *gate = must_calloc(1, sizeof *gate);
	if (read_terms(gate, text)) {
		*out = gate;
		return 0;
	}
	gate_free(gate);
	pt_fail(err, -PT_EREQUEST, "gate", "'%s' is no gate", text);
	pt_hint(err, "it has terms as 'dropped < 1', 'errors < 0.5%%', 'filtered < before + 1%%', "
	             "'messages > 100', joined by 'and'");
	return -PT_EREQUEST;
}

void gate_free(struct gate *gate)
{
	for (size_t i = 0; gate && i < gate->count; i++)
		free(gate->terms[i].text);
	if (gate)
		free(gate->terms);
	free(gate);
}

/* ---- counts ---- */

struct gate_counts gate_counts_of(const json_t *stats)
{
	const json_t *total = json_object_get(stats, "total");
	struct gate_counts counts = {.known = total,
	                             .messages = number_of(total, "in"),
	                             .dropped = number_of(total, "dropped"),
	                             .filtered = number_of(total, "filtered"),
	                             .time_s = clock_s(),
	                             .uptime_s = number_of(stats, "uptime_s")};
	json_each (block, json_object_get(stats, "blocks"))
		counts.errors += number_of(block, "errors");
	return counts;
}

bool gate_since(const struct gate_counts *from, const struct gate_counts *to,
                struct gate_counts *between)
{
	*between = (struct gate_counts){.known = false};
	if (!from->known || !to->known || to->uptime_s < from->uptime_s)
		return false;
	*between = (struct gate_counts){.known = true,
	                                .messages = to->messages - from->messages,
	                                .dropped = to->dropped - from->dropped,
	                                .errors = to->errors - from->errors,
	                                .filtered = to->filtered - from->filtered,
	                                .time_s = to->time_s - from->time_s};
	return true;
}

static double count_in(const struct gate_counts *counts, size_t word)
{
	double count;
	memcpy(&count, (const char *)counts + words[word].offset, sizeof count);
	return count;
}

/* Of what sources sent; what was lost without their sending anything is all of it. */
static double share(const struct gate_counts *counts, size_t word)
{
	double count = count_in(counts, word);
	if (count <= 0)
		return 0;
	return counts->messages > 0 ? 100 * count / counts->messages : 100;
}

/* As many as there would have been in so long. */
static double as_long(const struct gate_counts *before, double time_s, size_t word)
{
	return before->time_s > 0 ? count_in(before, word) * time_s / before->time_s : 0;
}

bool gate_flows(const struct gate_counts *before, const struct gate_counts *now)
{
	return now->messages > 0 || as_long(before, now->time_s, MESSAGES) < 1;
}

static bool term_holds(const struct term *term, const struct gate_counts *before,
                       const struct gate_counts *now)
{
	if (words[term->word].sign == '>')
		return now->messages > term->number;
	double was = !term->before ? 0
	             : term->share ? share(before, term->word)
	                           : as_long(before, now->time_s, term->word);
	double is = term->share ? share(now, term->word) : count_in(now, term->word);
	return is < was + term->number;
}

bool gate_holds(const struct gate *gate, const struct gate_counts *before,
                const struct gate_counts *now, struct buf *why)
{
	for (size_t i = 0; i < gate->count; i++) {
		const struct term *term = &gate->terms[i];
		if (term_holds(term, before, now))
			continue;
		buf_addf(why, "%.0f of %.0f messages %s (%.2f%%)", count_in(now, term->word),
		         now->messages, words[term->word].were, share(now, term->word));
		if (term->before)
			buf_addf(why, ", %.2f%% before", share(before, term->word));
		buf_addf(why, ": not '%s'", term->text);
		return false;
	}
	return true;
}
