/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes graphs and values so that the parser reads them back to the same. */
#include "lang/lang.h"

#include "base/encode.h"
#include "base/quote.h"
#include <string.h>

/* {"hex": …} as b'…', if that means just the same. */
static bool print_hex(struct buf *b, const json_t *object)
{
	const json_t *value = json_object_get(object, "hex");
	const char *hex = json_string_value(value);
	if (!hex || json_object_size(object) != 1 || hex[strspn(hex, "0123456789abcdef")])
		return false;
	struct buf bytes = BUF_INIT;
	buf_reserve(&bytes, 0);
	bool whole = !decode_hex(&bytes, hex, strlen(hex));
	if (whole)
		quote_bytes(b, bytes.data, bytes.length);
	buf_free(&bytes);
	return whole;
}

static void print_array(struct buf *b, const json_t *array)
{
	size_t i;
	json_t *item;
	buf_addc(b, '[');
	json_array_foreach (array, i, item) {
		buf_adds(b, i ? ", " : "");
		lang_print_value(b, item);
	}
	buf_addc(b, ']');
}

static void print_object(struct buf *b, const json_t *object)
{
	const char *key, *between = "";
	json_t *value;
	if (print_hex(b, object))
		return;
	buf_addc(b, '{');
	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		buf_adds(b, between);
		quote_text(b, key, strlen(key));
		buf_adds(b, ": ");
		lang_print_value(b, value);
		between = ", ";
	}
	buf_addc(b, '}');
}

/* The fewest digits that mean the same number; always with a point or an exponent. */
static void print_real(struct buf *b, const json_t *value)
{
	for (size_t digits = 15; digits <= 17; digits++) {
		char text[64];
		size_t length = json_dumpb(value, text, sizeof text,
		                           JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
		json_t *again = json_loadb(text, length, JSON_DECODE_ANY, NULL);
		bool same = json_real_value(again) == json_real_value(value);
		json_decref(again);
		if (same || digits == 17) {
			buf_add(b, text, length);
			return;
		}
	}
}

void lang_print_value(struct buf *b, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT: print_object(b, value); return;
	case JSON_ARRAY: print_array(b, value); return;
	case JSON_STRING:
		quote_text(b, json_string_value(value), json_string_length(value));
		return;
	case JSON_INTEGER: buf_addf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); return;
	case JSON_REAL: print_real(b, value); return;
	case JSON_TRUE: buf_adds(b, "True"); return;
	case JSON_FALSE: buf_adds(b, "False"); return;
	case JSON_NULL: buf_adds(b, "None"); return;
	}
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : otherwise;
}

static void print_block(struct buf *b, const json_t *block)
{
	const char *key, *between = "";
	json_t *value;
	buf_addf(b, "%s = %s(", text_of(block, "name", ""), text_of(block, "type", ""));
	json_object_foreach (json_object_get(block, "params"), key, value) {
		buf_addf(b, "%s%s=", between, key);
		lang_print_value(b, value);
		between = ", ";
	}
	buf_adds(b, ")\n");
}

static const char *operator_for(const json_t *link)
{
	const char *canal = text_of(link, "canal", "low");
	return !strcmp(canal, "high") ? ">>" : !strcmp(canal, "trigger") ? "^" : ">";
}

/* Whether `link` goes on where `before` ends, with the same operator. */
static bool follows(const json_t *before, const json_t *link)
{
	return before && !strcmp(operator_for(before), operator_for(link)) &&
	       !strcmp(text_of(before, "to", ""), text_of(link, "from", ""));
}

/* "%" or "//" if `next` is `link` the other way; else NULL. */
static const char *both_ways(const json_t *link, const json_t *next)
{
	const char *canal = text_of(link, "canal", "low");
	bool back = next && !strcmp(canal, text_of(next, "canal", "low")) &&
	            !strcmp(text_of(link, "from", ""), text_of(next, "to", "")) &&
	            !strcmp(text_of(link, "to", ""), text_of(next, "from", ""));
	if (!back || !strcmp(canal, "trigger"))
		return NULL;
	return !strcmp(canal, "high") ? "//" : "%";
}

static void print_links(struct buf *b, const json_t *links)
{
	const json_t *before = NULL;
	for (size_t i = 0; i < json_array_size(links); i++) {
		const json_t *link = json_array_get(links, i);
		const char *both = both_ways(link, json_array_get(links, i + 1));
		if (both || !follows(before, link))
			buf_addf(b, "%s%s", i ? "\n" : "", text_of(link, "from", ""));
		buf_addf(b, " %s %s", both ? both : operator_for(link), text_of(link, "to", ""));
		before = both ? NULL : link;
		i += both != NULL;
	}
	buf_adds(b, json_array_size(links) ? "\n" : "");
}

void lang_print(struct buf *b, const json_t *graph)
{
	size_t i;
	json_t *block;
	json_array_foreach (json_object_get(graph, "blocks"), i, block)
		print_block(b, block);
	print_links(b, json_object_get(graph, "links"));
}
