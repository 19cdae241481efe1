/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock that is never set: for how long something takes, and until when one waits. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

double clock_s(void);

#endif
