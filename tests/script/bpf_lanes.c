/* SPDX-License-Identifier: BSD-2-Clause */
/* Many packets at once pass as each of them does by libpcap's bpf_filter. */
#include "script/bpf_lanes.h"

#include "msg/pool.h"
#include "unit.h"
#include <string.h>

#define LENGTH_MAX 48
#define INSNS_MAX  40

static unsigned below(unsigned n)
{
	return (unsigned)random() % n;
}

/* ---- programs ---- */

static const uint16_t loads[] = {
	BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_H | BPF_ABS,
	BPF_LD | BPF_B | BPF_ABS,
	BPF_LD | BPF_W | BPF_IND,
	BPF_LD | BPF_H | BPF_IND,
	BPF_LD | BPF_B | BPF_IND,
	BPF_LD | BPF_W | BPF_LEN,
	BPF_LDX | BPF_W | BPF_LEN,
	BPF_LDX | BPF_MSH | BPF_B,
	BPF_LD | BPF_IMM,
	BPF_LDX | BPF_IMM,
	BPF_LD | BPF_MEM,
	BPF_LDX | BPF_MEM,
	BPF_ST,
	BPF_STX,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
	BPF_LD | BPF_B | BPF_ABS,
};
static const uint16_t operations[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_MOD, BPF_AND,
                                      BPF_OR,  BPF_XOR, BPF_LSH, BPF_RSH, BPF_NEG};
static const uint16_t jumps[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};

static struct bpf_insn random_load(void)
{
	uint16_t code = loads[below(sizeof loads / sizeof *loads)];
	unsigned class = BPF_CLASS(code), mode = BPF_MODE(code);
	bool stores = class == BPF_ST || class == BPF_STX;
	bool remembers = stores || (class <= BPF_LDX && mode == BPF_MEM);
	/* mostly within a packet, at times just or far behind it */
	uint32_t k = remembers  ? below(BPF_MEMWORDS)
	             : below(8) ? below(LENGTH_MAX / 3)
	             : below(4) ? below(LENGTH_MAX + 8)
	                        : UINT32_MAX - below(8);
	return (struct bpf_insn){.code = code, .k = k};
}

static struct bpf_insn random_operation(void)
{
	uint16_t operation = operations[below(sizeof operations / sizeof *operations)];
	uint16_t source = below(3) || operation == BPF_NEG ? BPF_K : BPF_X;
	uint32_t k = below(2) ? 1 + below(31) : 1 + (uint32_t)random();
	if (operation == BPF_LSH || operation == BPF_RSH)
		k %= 32;
	return (struct bpf_insn){.code = BPF_ALU | operation | source, .k = k};
}

static struct bpf_insn random_jump(unsigned left)
{
	if (!below(8))
		return (struct bpf_insn){.code = BPF_JMP | BPF_JA, .k = below(left)};
	uint16_t test = jumps[below(sizeof jumps / sizeof *jumps)],
		 source = below(4) ? BPF_K : BPF_X;
	return (struct bpf_insn){.code = BPF_JMP | test | source,
	                         .jt = (uint8_t)below(left),
	                         .jf = (uint8_t)below(left),
	                         .k = below(2) ? below(8) : (uint32_t)random() >> below(31)};
}

/* What is remembered is written first: libpcap promises nothing of what was not. */
static unsigned random_program(struct bpf_insn *insns)
{
	unsigned count = BPF_MEMWORDS + 1 + below(INSNS_MAX - BPF_MEMWORDS), i = 0;
	for (; i < BPF_MEMWORDS && i < count - 1; i++)
		insns[i] = (struct bpf_insn){.code = i % 2 ? BPF_ST : BPF_STX, .k = i};
	for (; i < count - 1; i++)
		insns[i] = below(10) < 5   ? random_load()
		           : below(10) < 3 ? random_operation()
		           : below(10) < 9 ? random_jump(count - 1 - i)
		                           : (struct bpf_insn){.code = BPF_RET | BPF_A};
	insns[i] = (struct bpf_insn){.code = BPF_RET | BPF_K, .k = below(2)};
	return count;
}

/* ---- packets ---- */

/* Short values, so that tests are true now and then. */
static struct pt_msg *random_packet(struct pt_pool *pool, bool long_enough)
{
	uint8_t bytes[LENGTH_MAX];
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = below(3) ? (uint8_t)below(4) : (uint8_t)random();
	unsigned length = long_enough ? sizeof bytes : below(sizeof bytes + 1);
	return pt_msg_packet(pool, bytes, length, length + below(100), 1, 0);
}

static void compare(const struct bpf_program *code, struct pt_msg **messages, unsigned count)
{
	struct bpf_lanes *lanes = bpf_lanes_new(code);
	ck_assert_ptr_nonnull(lanes);
	uint64_t each = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct pt_msg *m = messages[i];
		if (bpf_filter(code->bf_insns, m->bytes, m->wire_length, m->length))
			each |= UINT64_C(1) << i;
	}
	for (int round = 0; round < 2; round++) { /* nothing is left of a run */
		unsigned of = count;
		ck_assert_uint_eq(bpf_lanes_run(lanes, messages, &of), each);
		ck_assert_uint_eq(of, count);
	}
	bpf_lanes_free(lanes);
}

START_TEST(random_programs_pass_what_libpcap_passes)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *messages[BPF_LANES_MAX];
	struct bpf_insn insns[INSNS_MAX];
	srandom(1);
	for (int n = 0; n < TIMES(10000); n++) {
		if (n % 100 == 0)
			for (unsigned i = 0; i < BPF_LANES_MAX; i++) {
				if (n)
					pt_msg_unref(messages[i]);
				messages[i] = random_packet(pool, n % 200);
			}
		struct bpf_program code = {random_program(insns), insns};
		compare(&code, messages, below(2) ? BPF_LANES_MAX : 1 + below(BPF_LANES_MAX));
	}
	for (unsigned i = 0; i < BPF_LANES_MAX; i++)
		pt_msg_unref(messages[i]);
	pool_free(pool);
}
END_TEST

/* ---- what libpcap compiles ---- */

static const char *const filters[] = {
	"",
	"tcp dst port 443 or (udp and net 10.0.0.0/8)",
	"ip[0] & 0xf != 5 or ip6 or vlan",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src net 192.168.0.0/16",
	"vlan and (ip or ip6) or mpls and ip",
	"less 60 or greater 90",
	"ip6 proto 17 and portrange 1-1024",
	"ip[2:2] - ((ip[0] & 0xf) << 2) > 20 and ip[8] % 3 = 1",
	"ether host 2:0:0:0:0:1 and ip broadcast or arp",
};

/* Frames of Ethernet with what the filters look for here and there. */
static struct pt_msg *random_frame(struct pt_pool *pool)
{
	static const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x0806, 0x8847};
	static const uint8_t protocols[] = {6, 17, 1};
	uint8_t bytes[100];
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(below(4) ? below(3) : (unsigned)random());
	uint16_t type = types[below(below(2) ? 1 : 5)];
	bytes[12] = (uint8_t)(type >> 8);
	bytes[13] = (uint8_t)type;
	bytes[14] = (uint8_t)(0x40 + (below(4) ? 5 : below(16)));
	bytes[20] = bytes[21] = 0;
	bytes[23] = bytes[20] = protocols[below(3)];
	bytes[20] = below(4) ? 0 : bytes[20];
	bytes[26] = below(2) ? 10 : 192;
	memcpy(bytes + 36, below(2) ? "\x01\xbb" : "\0\x35", 2);
	unsigned length = below(3) ? sizeof bytes : below(sizeof bytes + 1);
	return pt_msg_packet(pool, bytes, length, length + below(60), 1, 0);
}

START_TEST(filters_pass_what_libpcap_passes)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *messages[BPF_LANES_MAX];
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, 262144);
	srandom(2);
	for (int n = 0; n < TIMES(200); n++) {
		for (unsigned i = 0; i < BPF_LANES_MAX; i++)
			messages[i] = random_frame(pool);
		for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
			struct bpf_program code;
			ck_assert_int_eq(pcap_compile(dead, &code, filters[i], n % 2, 0), 0);
			compare(&code, messages, BPF_LANES_MAX);
			pcap_freecode(&code);
		}
		for (unsigned i = 0; i < BPF_LANES_MAX; i++)
			pt_msg_unref(messages[i]);
	}
	pcap_close(dead);
	pool_free(pool);
}
END_TEST

/* ---- what is left to libpcap ---- */

static bool is_taken(struct bpf_insn insn)
{
	struct bpf_insn insns[] = {insn, {.code = BPF_RET | BPF_K, .k = 1}};
	struct bpf_lanes *lanes = bpf_lanes_new(&(struct bpf_program){2, insns});
	bpf_lanes_free(lanes);
	return lanes;
}

START_TEST(other_programs_are_not_taken)
{
	ck_assert(is_taken((struct bpf_insn){.code = BPF_LD | BPF_IMM}));
	ck_assert(is_taken((struct bpf_insn){.code = BPF_JMP | BPF_JA, .k = 0}));
	ck_assert(!is_taken((struct bpf_insn){.code = BPF_JMP | BPF_JA, .k = UINT32_MAX}));
	ck_assert(!is_taken((struct bpf_insn){.code = BPF_JMP | BPF_JEQ, .jt = 1}));
	ck_assert(!is_taken((struct bpf_insn){.code = BPF_JMP | BPF_JEQ, .jf = 1}));
	ck_assert(!is_taken((struct bpf_insn){.code = BPF_ALU | BPF_DIV | BPF_K, .k = 0}));
	ck_assert(!is_taken((struct bpf_insn){.code = BPF_ALU | BPF_LSH | BPF_K, .k = 32}));
	ck_assert(!is_taken((struct bpf_insn){.code = BPF_ALU | BPF_NEG | BPF_X}));
	ck_assert(!is_taken((struct bpf_insn){.code = BPF_ST, .k = BPF_MEMWORDS}));
	ck_assert(!is_taken((struct bpf_insn){.code = 0xffff}));
	struct bpf_insn open_end = {.code = BPF_LD | BPF_IMM};
	ck_assert_ptr_null(bpf_lanes_new(&(struct bpf_program){1, &open_end}));
	ck_assert_ptr_null(bpf_lanes_new(&(struct bpf_program){0, NULL}));
}
END_TEST

UNIT_TESTS("script/bpf_lanes", random_programs_pass_what_libpcap_passes,
           filters_pass_what_libpcap_passes, other_programs_are_not_taken)
