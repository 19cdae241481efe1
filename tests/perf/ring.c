/* SPDX-License-Identifier: BSD-2-Clause */
/* The least that a capture can do: a ring of the kernel's, and a file of pcap. The bench has it
   beside SniffSource > WrpcapSink.

   ring IFACE FILE, until SIGINT. */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK  (256u * 1024)
#define BLOCKS 128u
#define OUT    (512 * 1024)
#define MOST   (64 * 1024 + 16)

static volatile sig_atomic_t ending;

static void end(int number)
{
	(void)number;
	ending = 1;
}

static uint8_t *open_ring(const char *iface, int *fd)
{
	const int version = TPACKET_V3;
	const struct tpacket_req3 ring = {.tp_block_size = BLOCK,
	                                  .tp_block_nr = BLOCKS,
	                                  .tp_frame_size = 2048,
	                                  .tp_frame_nr = BLOCKS * (BLOCK / 2048),
	                                  .tp_retire_blk_tov = 100};
	const struct sockaddr_ll at = {.sll_family = AF_PACKET,
	                               .sll_protocol = htons(ETH_P_ALL),
	                               .sll_ifindex = (int)if_nametoindex(iface)};
	*fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (*fd < 0 || setsockopt(*fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) ||
	    setsockopt(*fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring))
		err(1, "a ring");
	uint8_t *map = mmap(NULL, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_LOCKED | MAP_POPULATE, *fd, 0);
	if (map == MAP_FAILED || bind(*fd, (const struct sockaddr *)&at, sizeof at))
		err(1, "%s", iface);
	return map;
}

static void put(int fd, uint8_t *out, size_t *filled)
{
	if (write(fd, out, *filled) != (ssize_t)*filled)
		err(1, "writing");
	*filled = 0;
}

static void take(const struct tpacket_block_desc *block, int fd, uint8_t *out, size_t *filled)
{
	const uint8_t *at = (const uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
	for (uint32_t left = block->hdr.bh1.num_pkts; left; left--) {
		const struct tpacket3_hdr *h = (const void *)at;
		const uint32_t head[4] = {h->tp_sec, h->tp_nsec / 1000, h->tp_snaplen, h->tp_len};
		if (*filled + MOST > OUT)
			put(fd, out, filled);
		memcpy(out + *filled, head, sizeof head);
		memcpy(out + *filled + sizeof head, at + h->tp_mac, h->tp_snaplen);
		*filled += sizeof head + h->tp_snaplen;
		at += h->tp_next_offset;
	}
}

int main(int argc, char **argv)
{
	static const uint32_t header[6] = {0xa1b2c3d4, 4u << 16 | 2, 0, 0, 262144, 1};
	static uint8_t out[OUT];
	size_t filled = sizeof header;
	int ring;
	if (argc != 3)
		errx(2, "ring IFACE FILE");
	signal(SIGINT, end);
	int fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	uint8_t *map = open_ring(argv[1], &ring);
	memcpy(out, header, sizeof header);
	fprintf(stderr, "listening on %s\n", argv[1]);
	for (uint32_t at = 0; !ending;) {
		struct tpacket_block_desc *block = (void *)(map + (size_t)BLOCK * at);
		volatile uint32_t *status = &block->hdr.bh1.block_status;
		if (!(*status & TP_STATUS_USER)) {
			struct pollfd wait = {.fd = ring, .events = POLLIN};
			if (poll(&wait, 1, 1000) == 0)
				put(fd, out, &filled);
			continue;
		}
		__sync_synchronize();
		take(block, fd, out, &filled);
		__sync_synchronize();
		*status = TP_STATUS_KERNEL;
		at = (at + 1) % BLOCKS;
	}
	put(fd, out, &filled);
	return 0;
}
