/* SPDX-License-Identifier: BSD-2-Clause */
/* What a JSON text is refused for before it is parsed. */
#ifndef RPC_JSON_CHECK_H
#define RPC_JSON_CHECK_H

#include <pipetool/error.h>

/* Nesting deeper than FRAME_DEPTH_MAX, NUL bytes, \u0000: 0 or -PT_EPARSE. Whether it is JSON at
   all is for the parser to tell. */
int json_check(const char *text, size_t length, struct pt_error *);

#endif
