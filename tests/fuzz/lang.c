/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as a pipe program: refused with a place, or read, printed and read again to the same. */
#include "lang/lang.h"
#include "type/type.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pt_param *params_of(void *arg, const char *name)
{
	const struct pt_type *type = type_find(name);
	static const struct pt_param none = {.name = NULL};

	if (!type)
		return NULL;
	return type->params ? type->params : &none;
}

static bool exists(void *arg, const char *block)
{
	return strcmp(block, "there") == 0;
}

/* The graph that the ops make: {blocks, links}. */
static json_t *graph_of(const json_t *ops)
{
	json_t *blocks = json_array(), *links = json_array(), *op;
	size_t i;

	json_array_foreach (ops, i, op) {
		json_t *copy = json_copy(op);
		const char *kind = json_string_value(json_object_get(op, "op"));

		assert(kind);
		json_array_append(strcmp(kind, "add") == 0 ? blocks : links, copy);
		json_object_del(copy, "op");
		json_decref(copy);
	}
	return json_pack("{so so}", "blocks", blocks, "links", links);
}

static void again(const struct lang_env *env, const json_t *ops)
{
	struct lang_program second = {0};
	struct pt_error err = PT_ERROR_INIT;
	struct buf first = BUF_INIT, text = BUF_INIT;
	json_t *graph = graph_of(ops), *same;

	lang_print(&first, graph);
	assert(lang_parse(first.data, first.length, env, &second, &err) == 0);
	same = graph_of(second.ops);
	lang_print(&text, same);
	assert(strcmp(text.data ? text.data : "", first.data ? first.data : "") == 0);
	json_decref(graph);
	json_decref(same);
	buf_free(&first);
	buf_free(&text);
	lang_program_free(&second);
	pt_error_clear(&err);
}

static void value(const char *text, size_t size)
{
	struct pt_error err = PT_ERROR_INIT;
	struct buf printed = BUF_INIT;
	json_t *first = NULL, *second = NULL;

	if (lang_parse_value(text, size, &first, &err) == 0) {
		lang_print_value(&printed, first);
		assert(lang_parse_value(printed.data, printed.length, &second, &err) == 0);
		assert(json_equal(first, second));
	}
	json_decref(first);
	json_decref(second);
	buf_free(&printed);
	pt_error_clear(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct lang_env env = {.params = params_of, .exists = exists, .directory = "/tmp"};
	const char *text = (const char *)data;
	struct lang_program program = {0};
	struct pt_error err = PT_ERROR_INIT;
	struct buf caret = BUF_INIT;
	json_t *part = NULL;

	if (lang_parse(text, size, &env, &program, &err) == 0) {
		again(&env, program.ops);
		lang_caret(&caret, program.text, lang_locate(&program, "$.ops[0].params.fname"));
	} else {
		assert(err.count > 0);
	}
	lang_program_free(&program);
	buf_free(&caret);
	pt_error_clear(&err);
	if (lang_parse_links(text, size, &part, &err) == 0)
		json_decref(part);
	part = NULL;
	if (lang_parse_block(text, size, &env, &part, &err) == 0)
		json_decref(part);
	pt_error_clear(&err);
	value(text, size);
	return 0;
}
