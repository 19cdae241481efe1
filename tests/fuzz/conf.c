/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as the configuration: taken, or refused in words. */
#include "daemon/conf.h"

#include <assert.h>
#include <pipetool/error.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pt_error err = PT_ERROR_INIT;
	struct conf conf = {0};
	int code = conf_read_text((const char *)data, size, &conf, &err);
	assert(!code == !err.count);
	if (!code)
		conf_clear(&conf);
	pt_error_clear(&err);
	return 0;
}
