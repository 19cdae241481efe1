/* SPDX-License-Identifier: BSD-2-Clause */
/* Names, in plain ASCII. */
#include "base/name.h"

#include <string.h>

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(const char *name, const char *more)
{
	size_t length = strlen(name);
	if (!length || length > NAME_MAX_LENGTH)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!letter(name[i]) && !(name[i] >= '0' && name[i] <= '9') &&
		    !strchr(more, name[i]))
			return false;
	return true;
}

bool name_is_block(const char *name)
{
	return letter(name[0]) && is_name(name, "");
}

bool name_is_engine(const char *name)
{
	return name[0] != '-' && is_name(name, "-");
}

bool name_was_engine(const char *name)
{
	return letter(name[0]) && is_name(name, "-.");
}
