/* SPDX-License-Identifier: BSD-2-Clause */
/* pcapng blocks, written into room that the caller has. */
#ifndef CAPTURE_PCAPNG_WRITE_H
#define CAPTURE_PCAPNG_WRITE_H

#include <pipetool/msg.h>
#include <stddef.h>
#include <stdint.h>

#define PCAPNG_TEXT_MAX 1024 /* of names and applications; what is longer is cut */

/* How many bytes a block takes, and the block written to `at`. In the byte order of this machine;
   times in nanoseconds. NULL leaves a text out. */
size_t pcapng_section_size(const char *application);
void pcapng_section_write(uint8_t *at, const char *application);
size_t pcapng_interface_size(const char *name);
void pcapng_interface_write(uint8_t *at, uint16_t link_type, uint32_t snaplen, const char *name);
size_t pcapng_packet_size(uint32_t captured);
void pcapng_packet_write(uint8_t *at, uint32_t interface, const struct pt_msg *, uint64_t time_ns,
                         uint32_t captured);

#endif
