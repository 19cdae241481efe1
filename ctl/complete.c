/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line as far as it is typed, against the tables of verbs. */
#include "ctl/complete.h"

#include "base/json.h"
#include "base/buf.h"
#include "type/help.h"
#include "type/type.h"
#include <stdlib.h>
#include <string.h>

void candidate_add(struct completion *c, bool open, const char *what, const char *fmt, ...)
{
	struct buf word = BUF_INIT;
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&word, fmt, args);
	va_end(args);
	char *text = buf_steal(&word);
	if (strncmp(text, c->word, strlen(c->word)) != 0) {
		free(text);
		return;
	}
	c->items = must_realloc(c->items, c->count + 1, sizeof *c->items);
	c->items[c->count++] = (struct candidate){text, must_strdup(what), open};
}

void completion_fini(struct completion *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->items[i].word);
		free(c->items[i].what);
	}
	free(c->items);
	json_decref(c->types);
}

/* ---- what is known ---- */

/* The daemon's answer, a new reference; NULL: none. `params` is taken over. */
static json_t *ask(struct completion *c, const char *method, json_t *params)
{
	json_t *result = NULL;
	if (c->deaf) {
		json_decref(params);
		return NULL;
	}
	int code = ctl_call(c->ctl, method, params, &result, NULL);
	c->deaf = code == -PT_ETIMEOUT || !c->ctl->client;
	return code ? NULL : result;
}

json_t *completion_engine(struct completion *c, const char *engine)
{
	return ask(c, "engine.show", json_pack("{s:s}", "engine", engine));
}

static int add_builtin(void *types, const struct pt_type *type)
{
	return json_object_set_new(types, type->name, schema_type(type));
}

const json_t *completion_types(struct completion *c)
{
	if (c->types)
		return c->types;
	json_t *list = ask(c, "type.list", NULL);
	c->types = json_object();
	json_each (type, json_object_get(list, "types"))
		json_object_set(c->types, text_of(type, "name"), type);
	if (!list)
		type_each(add_builtin, c->types);
	json_decref(list);
	return c->types;
}

const json_t *completion_type(struct completion *c, const char *name)
{
	json_t *known = json_object_get(completion_types(c), name);
	if (!known || json_object_get(known, "params"))
		return known;
	json_t *shown = ask(c, "type.show", json_pack("{s:s}", "type", name));
	if (shown)
		json_object_set_new(c->types, name, shown);
	return shown;
}

/* ---- arguments ---- */

static bool makes_engine(const struct completion *c)
{
	return c->verb->run == verb_create || c->verb->run == verb_run;
}

static void engines(struct completion *c)
{
	json_t *list = makes_engine(c) ? NULL : ask(c, "engine.list", NULL);
	json_each (engine, json_object_get(list, "engines"))
		candidate_add(c, false, text_of(engine, "state"), "%s", text_of(engine, "engine"));
	json_decref(list);
}

static void blocks_of(struct completion *c, const char *engine, const char *before)
{
	json_t *shown = completion_engine(c, engine);
	json_each (block, json_object_get(shown, "blocks"))
		candidate_add(c, false, text_of(block, "type"), "%s%s", before,
		              text_of(block, "name"));
	json_decref(shown);
}

/* ENGINE.BLOCK: the engine first, with its dot, and behind that its blocks. */
static void add_targets(struct completion *c, bool alone)
{
	json_t *list = ask(c, "engine.list", NULL);
	json_each (engine, json_object_get(list, "engines")) {
		char *dotted = must_printf("%s.", text_of(engine, "engine"));
		bool whole = !strncmp(c->word, dotted, strlen(dotted));
		if (whole)
			blocks_of(c, text_of(engine, "engine"), dotted);
		else
			candidate_add(c, true, text_of(engine, "state"), "%s", dotted);
		if (alone && !whole)
			candidate_add(c, false, text_of(engine, "state"), "%s",
			              text_of(engine, "engine"));
		free(dotted);
	}
	json_decref(list);
}

static void targets(struct completion *c)
{
	add_targets(c, false);
}

static void engines_and_targets(struct completion *c)
{
	add_targets(c, true);
}

static const char *engine_argument(const struct completion *c)
{
	return c->argument_count && !makes_engine(c) ? c->arguments[0] : NULL;
}

static void blocks(struct completion *c)
{
	if (c->argument_count)
		blocks_of(c, c->arguments[0], "");
}

static void graph(struct completion *c)
{
	complete_text(c, c->verb->run == verb_apply ? NULL : engine_argument(c), TEXT_GRAPH);
}

static void links(struct completion *c)
{
	complete_text(c, engine_argument(c), TEXT_LINKS);
}

static void block(struct completion *c)
{
	complete_text(c, NULL, TEXT_BLOCK);
}

/* The parameters of the type that the block in the first argument has; NULL: unknown. */
static const json_t *params_of_target(struct completion *c)
{
	const char *target = c->argument_count ? c->arguments[0] : "", *dot = strrchr(target, '.');
	if (!dot)
		return NULL;
	char *engine = must_printf("%.*s", (int)(dot - target), target);
	json_t *shown = completion_engine(c, engine);
	const json_t *block = item_of(json_object_get(shown, "blocks"), "name", dot + 1), *params;
	params = json_object_get(block ? completion_type(c, text_of(block, "type")) : NULL,
	                         "params");
	json_decref(shown);
	free(engine);
	return params;
}

static void settings(struct completion *c)
{
	size_t length = strcspn(c->word, "=");
	const json_t *params = params_of_target(c);
	json_each (param, params) {
		const char *name = text_of(param, "name");
		if (!c->word[length])
			candidate_add(c, true, text_of(param, "doc"), "%s=", name);
		else if (strlen(name) == length && !strncmp(name, c->word, length))
			complete_value(c, length + 1, param, true, 0);
	}
}

static void verb_names(struct completion *c)
{
	for (const struct verb *v = verbs; v->name; v++)
		candidate_add(c, false, v->summary, "%s", v->name);
}

static void methods(struct completion *c)
{
	json_t *document = ask(c, "rpc.discover", NULL);
	json_each (method, json_object_get(document, "methods"))
		candidate_add(c, false, text_of(method, "summary"), "%s", text_of(method, "name"));
	json_decref(document);
}

static void topics(struct completion *c)
{
	const char *name;
	json_t *type;
	verb_names(c);
	json_object_foreach (json_of(completion_types(c)), name, type)
		candidate_add(c, false, text_of(type, "summary"), "%s", name);
	methods(c);
}

static void revisions(struct completion *c)
{
	json_t *params = json_pack("{s:s}", "engine", engine_argument(c));
	json_t *log = ask(c, "engine.log", params);
	json_each (revision, json_object_get(log, "revisions"))
		candidate_add(c, false, text_of(revision, "comment"), "%lld",
		              integer_of(revision, "revision"));
	json_decref(log);
}

/* By the names of the rows of verbs. */
static const struct {
	const char *name;
	void (*complete)(struct completion *);
} arguments[] = {
	{"engine", engines},
	{"engine.block", targets},
	{"engine[.block]", engines_and_targets},
	{"block", blocks},
	{"pipe", graph},
	{"links", links},
	{"type(…)", block},
	{"key=value", settings},
	{"revision", revisions},
	{"method", methods},
	{"verb|type|method", topics},
};

static void argument(struct completion *c)
{
	const struct argv argv = verb_argv(c->verb);
	const struct pt_param *row = argv_argument(&argv, c->argument_count);
	if (!row)
		return;
	c->files = row->kind == PT_KIND_PATH;
	for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
		if (!strcmp(arguments[i].name, row->name))
			arguments[i].complete(c);
}

/* ---- options ---- */

static void option_value(struct completion *c, const struct pt_param *row, const char *before)
{
	c->files = row->kind == PT_KIND_PATH;
	for (const char *const *choice = row->choices; choice && *choice; choice++)
		candidate_add(c, false, "", "%s%s", before, *choice);
}

static void add_options(struct completion *c, const struct pt_param *rows)
{
	for (const struct pt_param *row = rows; row && row->name; row++) {
		if (!(row->flags & PT_OPTION))
			continue;
		char *typed = argv_typed(row);
		candidate_add(c, false, row->doc, "%s", typed);
		free(typed);
	}
}

static void options(struct completion *c)
{
	const struct argv argv = verb_argv(c->verb);
	size_t length = strcspn(c->word, "=");
	const struct pt_param *row = NULL;
	if (c->word[length] && length > 2)
		row = argv_option(&argv, c->word + 2, length - 2);
	if (row) {
		char *before = must_printf("%.*s", (int)length + 1, c->word);
		option_value(c, row, before);
		c->files = false; /* the shell would replace the option, too */
		free(before);
	} else {
		add_options(c, c->verb ? c->verb->params : NULL);
		add_options(c, verb_globals);
	}
}

/* ---- words ---- */

static void obey(struct ctl *ctl, const struct pt_param *row, const char *value)
{
	if (!strcmp(row->name, "socket"))
		ctl->socket = value;
	if (!strcmp(row->name, "host"))
		ctl->host = value;
}

/* The option that waits for its value in the next word, or NULL. */
static const struct pt_param *pass_option(struct completion *c, const char *word)
{
	const struct argv argv = verb_argv(c->verb);
	const struct pt_param *row;
	const char *value = NULL;
	if (word[1] == '-') {
		size_t length = strcspn(word + 2, "=");
		row = argv_option(&argv, word + 2, length);
		value = word[2 + length] ? word + 3 + length : NULL;
	} else {
		row = argv_letter(&argv, *++word);
		while (row && row->kind == PT_KIND_BOOL && word[1])
			row = argv_letter(&argv, *++word);
		value = *word && word[1] ? word + 1 : NULL;
	}
	if (row && value)
		obey(c->ctl, row, value);
	return row && row->kind != PT_KIND_BOOL && !value ? row : NULL;
}

void complete_words(struct completion *c, int count, char *const *words)
{
	const struct pt_param *waiting = NULL;
	bool only_arguments = false;
	char **passed = must_calloc((size_t)count + 1, sizeof *passed);
	c->arguments = passed;
	for (int i = 0; i < count - 1; i++) {
		bool dashed = words[i][0] == '-' && words[i][1] && !only_arguments;
		if (waiting) {
			obey(c->ctl, waiting, words[i]);
			waiting = NULL;
		} else if (dashed && !strcmp(words[i], "--")) {
			only_arguments = c->verb;
		} else if (dashed) {
			waiting = pass_option(c, words[i]);
		} else if (c->verb) {
			passed[c->argument_count++] = words[i];
		} else if (!(c->verb = verb_find(words[i]))) {
			c->deaf = true;
			count = 0; /* nobody knows what belongs behind it */
		}
	}
	c->word = count ? words[count - 1] : "";
	c->deaf |= c->ctl->host != NULL; /* ssh would take its time */
	if (waiting)
		option_value(c, waiting, "");
	else if (count && *c->word == '-' && !only_arguments)
		options(c);
	else if (count && !c->verb)
		verb_names(c);
	else if (count)
		argument(c);
	c->arguments = NULL;
	free(passed);
}
