/* SPDX-License-Identifier: BSD-2-Clause */
/* Graphs and values as text, and back again. */
#include "world.h"

#include "base/quote.h"
#include <time.h>

static char *printed(const char *json)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	struct buf b = BUF_INIT;
	ck_assert_ptr_nonnull(value);
	lang_print_value(&b, value);
	json_decref(value);
	return buf_steal(&b);
}

START_TEST(values_look_as_python_writes_them)
{
	expect_text(printed("[true, false, null, 1, -2]"), "[True, False, None, 1, -2]");
	expect_text(printed("[0.1, 1.0, 1e300, 1e-7]"), "[0.1, 1.0, 1e300, 1e-7]");
	expect_text(printed("{\"a\": {}, \"it's\": []}"), "{'a': {}, \"it's\": []}");
	expect_text(printed("{\"hex\": \"00ff27\"}"), "b\"\\x00\\xff'\"");
	expect_text(printed("{\"hex\": \"FF\"}"), "{'hex': 'FF'}");
	expect_text(printed("{\"hex\": \"f\"}"), "{'hex': 'f'}");
	expect_text(printed("{\"base64\": \"AA==\"}"), "{'base64': 'AA=='}");
}
END_TEST

static char *quoted(const char *bytes, size_t length)
{
	struct buf b = BUF_INIT;
	quote_text(&b, bytes, length);
	return buf_steal(&b);
}

START_TEST(text_looks_as_python_writes_it)
{
	expect_text(quoted("foo", 3), "'foo'");
	expect_text(quoted("", 0), "''");
	expect_text(quoted("it's", 4), "\"it's\"");
	expect_text(quoted("'\"", 2), "'\\'\"'");
	expect_text(quoted("a\n\r\t\\\0\x7f", 7), "'a\\n\\r\\t\\\\\\x00\\x7f'");
	expect_text(quoted("é世😀", 9), "'é世😀'");
	expect_text(quoted("\xff\xc3(", 3), "'\\xff\\xc3('");
	expect_text(quoted("\xed\xa0\x80", 3), "'\\xed\\xa0\\x80'");
	expect_text(quoted("\xc2\x85\xe2\x80\xae", 5), "'\\x85\\u202e'");
}
END_TEST

static json_t *read_graph(const char *text, size_t length)
{
	struct lang_program program;
	struct pt_error err = PT_ERROR_INIT;
	size_t i;
	json_t *op, *blocks = json_array(), *links = json_array();
	ck_assert_msg(!lang_parse(text, length, NULL, &program, &err), "%.*s: %s", (int)length,
	              text, pt_error_text(&err, ""));
	json_array_foreach (program.ops, i, op) {
		bool is_block = json_object_get(op, "type") != NULL;
		json_object_del(op, "op");
		json_array_append(is_block ? blocks : links, op);
	}
	lang_program_free(&program);
	return json_pack("{so so}", "blocks", blocks, "links", links);
}

START_TEST(neighbours_in_order_are_chained)
{
	const char *json = "{\"blocks\": [{\"name\": \"s\", \"type\": \"S\", \"params\": {\"f\": "
			   "\"x\", \"n\": 1}},"
			   " {\"name\": \"d\", \"type\": \"D\"}, {\"name\": \"e\", \"type\": "
			   "\"D\", \"params\": {}}],"
			   " \"links\": [{\"from\": \"s\", \"to\": \"d\", \"canal\": \"low\"},"
			   " {\"from\": \"d\", \"to\": \"e\"}, {\"from\": \"d\", \"to\": \"s\"},"
			   " {\"from\": \"s\", \"to\": \"e\", \"canal\": \"high\"},"
			   " {\"from\": \"e\", \"to\": \"d\", \"canal\": \"trigger\"}]}";
	json_t *graph = json_loads(json, 0, NULL);
	struct buf b = BUF_INIT;
	lang_print(&b, graph);
	ck_assert_str_eq(b.data, "s = S(f='x', n=1)\nd = D()\ne = D()\n"
	                         "s > d > e\nd > s\ns >> e\ne ^ d\n");
	buf_free(&b);
	json_decref(graph);
}
END_TEST

START_TEST(both_ways_are_one_statement)
{
	static const char text[] = "l = D()\nc = D()\nu = D()\nl % c\nl > u\nc // u\nc ^ l ^ c\n";
	json_t *graph = read_graph(text, sizeof text - 1);
	struct buf b = BUF_INIT;
	lang_print(&b, graph);
	ck_assert_str_eq(b.data, text);
	buf_free(&b);
	json_decref(graph);
}
END_TEST

/* ---- random graphs ---- */

static unsigned below(unsigned n)
{
	return (unsigned)rand() % n;
}

static json_t *random_text(void)
{
	static const char *const pieces[] = {"a",     "B",        "0",        "'",
	                                     "\"",    "'''",      "\\",       "\n",
	                                     "\r",    "\t",       "\b",       "#",
	                                     "é",     "世",       "😀",        "{",
	                                     "\\x41", "\xc2\x80", "\xc2\xa0", "\xe2\x80\xa8",
	                                     "\x7f",  " "};
	struct buf b = BUF_INIT;
	buf_reserve(&b, 0);
	for (unsigned n = below(8); n; n--)
		buf_adds(&b, pieces[below(sizeof pieces / sizeof *pieces)]);
	json_t *text = json_stringn(b.data, b.length);
	ck_assert_ptr_nonnull(text);
	buf_free(&b);
	return text;
}

static double random_real(void)
{
	union {
		uint64_t bits;
		double real;
	} any;
	do {
		any.bits = 0;
		for (int i = 0; i < 8; i++)
			any.bits = any.bits << 8 | below(256);
	} while (any.real - any.real != 0);
	return any.real;
}

static json_t *random_hex(void)
{
	struct buf b = BUF_INIT;
	buf_reserve(&b, 0);
	for (unsigned n = below(6); n; n--)
		buf_addf(&b, below(8) ? "%02x" : "%02X", below(256));
	json_t *object = json_pack("{ss}", "hex", b.data);
	buf_free(&b);
	return object;
}

static json_t *random_value(unsigned depth);

static json_t *random_list(unsigned depth)
{
	json_t *list = json_array();
	for (unsigned n = below(4); n; n--)
		json_array_append_new(list, random_value(depth));
	return list;
}

static json_t *random_dictionary(unsigned depth)
{
	json_t *object = json_object();
	for (unsigned n = below(4); n; n--) {
		json_t *key = random_text();
		json_object_set_new(object, json_string_value(key), random_value(depth));
		json_decref(key);
	}
	return object;
}

static json_t *random_value(unsigned depth)
{
	switch (below(depth > 3 ? 7 : 9)) {
	case 0: return json_integer(below(2) ? (json_int_t)below(1000) - 500 : INT64_MIN);
	case 1: return json_real(random_real());
	case 2: return json_real(below(100) / 10.0);
	case 3: return json_boolean(below(2));
	case 4: return random_hex();
	case 5: return below(4) ? random_text() : json_null();
	case 6: return random_text();
	case 7: return random_list(depth + 1);
	default: return random_dictionary(depth + 1);
	}
}

static json_t *random_graph(void)
{
	static const char *const canals[] = {"low", "high", "trigger"};
	json_t *blocks = json_array(), *links = json_array();
	unsigned count = 1 + below(8);
	for (unsigned i = 0; i < count; i++) {
		char name[16], key[16];
		json_t *params = json_object();
		snprintf(name, sizeof name, "%s%u", below(2) ? "drain" : "x_", i);
		for (unsigned n = below(4); n; n--) {
			snprintf(key, sizeof key, "k%u", n);
			json_object_set_new(params, key, random_value(0));
		}
		json_array_append_new(blocks,
		                      json_pack("{ss ss so}", "name", name, "type",
		                                below(2) ? "Drain" : "X", "params", params));
	}
	for (unsigned n = below(12); n; n--) {
		json_t *from = json_array_get(blocks, below(count));
		json_t *to = json_array_get(blocks, below(count));
		json_array_append_new(
			links, json_pack("{sO sO ss}", "from", json_object_get(from, "name"), "to",
		                         json_object_get(to, "name"), "canal", canals[below(3)]));
	}
	return json_pack("{so so}", "blocks", blocks, "links", links);
}

START_TEST(what_is_printed_is_read_back_the_same)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)atoi(given) : (unsigned)time(NULL);
	srand(seed);
	for (int round = 0; round < TIMES(5000); round++) {
		json_t *graph = random_graph();
		struct buf text = BUF_INIT;
		buf_reserve(&text, 0);
		lang_print(&text, graph);
		json_t *again = read_graph(text.data, text.length);
		ck_assert_msg(json_equal(graph, again), "SEED=%u round %d:\n%s", seed, round,
		              text.data);
		json_decref(again);
		json_decref(graph);
		buf_free(&text);
	}
}
END_TEST

UNIT_TESTS("lang/print", values_look_as_python_writes_them, text_looks_as_python_writes_it,
           neighbours_in_order_are_chained, both_ways_are_one_statement,
           what_is_printed_is_read_back_the_same)
