/* SPDX-License-Identifier: BSD-2-Clause */
/* What a file in the other byte order has in that of the machine that wrote it. */
#ifndef CAPTURE_BYTE_ORDER_H
#define CAPTURE_BYTE_ORDER_H

#include <pipetool/msg.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers of so many bytes each. */
void byte_order_turn(uint8_t *at, size_t length, unsigned bytes);

/* Headers of some link types are as their machine had them. A packet is turned once, where it lies:
   in a window that nobody else reads. */
void byte_order_turn_packet(const struct pt_msg *);

#endif
