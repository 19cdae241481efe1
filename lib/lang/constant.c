/* SPDX-License-Identifier: BSD-2-Clause */
/* Names that stand for values. */
#include "lang/constant.h"

#include "base/near.h"
#include "lang/place.h"

struct constants constants_init(const json_t *given)
{
	struct constants c = {json_object(), json_object(), json_object(), given};
	if (given)
		json_object_update(c.values, (json_t *)(uintptr_t)given);
	return c;
}

void constants_fini(struct constants *c)
{
	json_decref(c->values);
	json_decref(c->places);
	json_decref(c->used);
	*c = (struct constants){0};
}

int constants_add(struct constants *c, struct complaints *complaints, const char *name,
                  struct lang_place place, json_t *value)
{
	struct lang_place before = constants_place(c, name);
	if (before.line) {
		json_decref(value);
		complain(complaints, place, "'%s' has a value already, by line %u", name,
		         before.line);
		return -PT_EPARSE;
	}
	place_set(c->places, name, place);
	json_object_set_new(c->used, name, json_true());
	if (json_object_get(c->given, name))
		json_decref(value);
	else
		json_object_set_new(c->values, name, value);
	return 0;
}

json_t *constants_take(struct constants *c, const char *name)
{
	const json_t *value = json_object_get(c->values, name);
	if (!value)
		return NULL;
	json_object_set_new(c->used, name, json_true());
	return json_deep_copy(value);
}

bool constants_has(const struct constants *c, const char *name)
{
	return json_object_get(c->values, name);
}

struct lang_place constants_place(const struct constants *c, const char *name)
{
	return place_get(c->places, name);
}

static const char *nearest_of(const json_t *names, const char *name)
{
	struct near near = near_init(name);
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)(uintptr_t)names, key, value)
		near_try(&near, key);
	return near_best(&near);
}

const char *constants_nearest(const struct constants *c, const char *name)
{
	return nearest_of(c->values, name);
}

int constants_check(const struct constants *c, struct pt_error *err)
{
	const char *name;
	json_t *value;
	int code = 0;
	json_object_foreach ((json_t *)(uintptr_t)c->given, name, value) {
		if (json_object_get(c->used, name))
			continue;
		struct near meant = near_found(nearest_of(c->used, name));
		code = pt_fail(err, -PT_EPARSE, NULL, "the text has no constant '%s'%s", name,
		               near_say(&meant, ": nothing says it"));
	}
	return code;
}
