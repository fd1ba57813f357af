/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instructions: one node under callgrind, with devices and an underlay in memory and virtual time, so that the count is
 * the same each run. Node a sends a packet COUNT times; in mode rx the trains that came of it are opened by node b, in
 * mode tx they vanish. bench/instructions runs it twice with different counts and divides the difference.
 *
 *   instructions tx|rx small|super COUNT PLUGIN-DIR...
 */
#include "../tests/plugins/mem.h"
#include "checksum.h"
#include "keys.h"
#include "node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HDR 40u   /* IPv4 and TCP, or padded IPv4 and UDP */
#define MSS 1380u /* MTU 1420 */
#define SEGMENTS 44u
#define PACKET 64u

struct world {
	struct ela_loop *loop;
	struct ela_log *log;
	struct ela_mem_fabric *fabric;
	struct ela_config *configs[2];
	struct ela_node *nodes[2];
	GPtrArray *kept; /* trains on their way to b, GBytes with the segment size behind */
	bool capture, pass;
};

struct kept {
	struct ela_addr from, to;
	uint32_t len, segment;
	uint8_t bytes[];
};

static bool tap(void *data, const struct ela_mem_seen *seen)
{
	struct world *w = data;

	if (w->capture) {
		struct kept *k = g_malloc(sizeof *k + seen->len);

		k->from = seen->from;
		k->to = seen->to;
		k->len = seen->len;
		k->segment = seen->segment;
		memcpy(k->bytes, seen->bytes, seen->len);
		g_ptr_array_add(w->kept, k);
	}
	return w->pass;
}

static void fail(const char *what, GError *error)
{
	(void)fprintf(stderr, "instructions: %s: %s\n", what, error ? error->message : "failed");
	exit(1);
}

static void run(struct world *w, uint64_t ns)
{
	uint64_t until = ela_loop_now(w->loop) + ns;
	bool did;

	do {
		did = ela_node_turn(w->nodes[0]);
		did = ela_node_turn(w->nodes[1]) || did;
		while (ela_loop_virtual_step(w->loop))
			did = true;
		if (!did && ela_loop_virtual_next(w->loop) <= until) {
			ela_loop_virtual_run(w->loop, ela_loop_virtual_next(w->loop));
			did = true;
		}
	} while (did);
}

static void make_node(struct world *w, struct ela_loader *loader, const char *dir, uint32_t i, char keys[2][45])
{
	const char *names[] = {"a", "b"};
	g_autofree char *file = g_strdup_printf("%s/%s.ini", dir, names[i]);
	g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *text = g_strdup_printf(
		"[node]\nname = %s\naddress = 10.88.0.%u/24\nprivate-key-file = %s.key\nlanes = 1\n"
		"[components]\nnpd = mem\ncipher = aead\ntransport = mem\nrouting = static\n"
		"[npd-mem]\nfabric = bench\ndevice = %s\n[transport-mem]\nfabric = bench\nlisten = 10.0.0.%u\nsegments = 64\n"
		"[peer %s]\npublic-key = %s\naddress = 10.88.0.%u\nendpoint = 10.0.0.%u:7450\n",
		names[i], i + 1, names[i], names[i], i + 1, names[1 - i], keys[1 - i], 2 - i, 2 - i);
	GError *error = NULL;

	if (!g_file_set_contents_full(file, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, &error))
		fail(file, error);
	w->configs[i] = ela_config_load(file, loader, 0, errors);
	if (!w->configs[i]) {
		(void)fprintf(stderr, "%s\n", (const char *)g_ptr_array_index(errors, 0));
		exit(1);
	}
	w->nodes[i] = ela_node_new(w->configs[i], w->loop, w->log, 0, &error);
	if (!w->nodes[i] || !ela_node_start_devices(w->nodes[i], &error) || !ela_node_start(w->nodes[i], &error))
		fail("node", error);
}

/* A datagram of 64 bytes, or a TCP superpacket of 44 segments, as the kernel hands them over. */
static uint32_t make_packet(uint8_t *p, bool super, struct ela_packet *ret)
{
	uint32_t len = super ? HDR + SEGMENTS * MSS : PACKET;
	uint8_t l4 = super ? 6 : 17;

	memset(p, 0x5a, len);
	memcpy(p, "\x45\x00\x00\x00\x00\x01\x40\x00\x40\x00\x00\x00\x0a\x58\x00\x01\x0a\x58\x00\x02", 20);
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	p[9] = l4;
	ela_csum_ip4(p, 20);
	if (super) {
		memcpy(p + 20, "\x13\x88\x13\x89\x00\x00\x00\x01\x00\x00\x00\x01\x50\x10\x10\x00\x00\x00\x00\x00", 20);
	} else {
		memcpy(p + 20, "\x13\x88\x13\x89\x00\x2c\x00\x00", 8);
	}
	*ret = (struct ela_packet){.data = p,
		.len = len,
		.len_total = len,
		.flags = ELA_PACKET_NEEDS_CSUM,
		.csum_start = 20,
		.csum_offset = super ? 16 : 6,
		.gso_size = super ? MSS : 0,
		.gso_type = super ? ELA_GSO_TCP4 : ELA_GSO_NONE};
	return len;
}

int main(int argc, char **argv)
{
	struct world w = {0};
	char dir[] = "/tmp/ela-instructions-XXXXXX", keys[2][45];
	static uint8_t bytes[65536];
	struct ela_packet packet;
	struct ela_loader *loader;
	GError *error = NULL;
	bool rx, super;
	uint64_t count, opened;

	if (argc < 5)
		return 2;
	rx = strcmp(argv[1], "rx") == 0;
	super = strcmp(argv[2], "super") == 0;
	count = g_ascii_strtoull(argv[3], NULL, 10);
	if (!mkdtemp(dir))
		fail(dir, NULL);
	loader = ela_loader_new((const char *const *)argv + 4);
	if (!ela_loader_add(loader, &ela_npd_mem, &error) || !ela_loader_add(loader, &ela_transport_mem, &error) ||
		ela_keygen(dir, "a", keys[0], &error) != 0 || ela_keygen(dir, "b", keys[1], &error) != 0)
		fail("start", error);
	w.loop = ela_loop_virtual_new(1);
	w.log = ela_log_new(ELA_LOG_WARN, NULL, NULL);
	w.kept = g_ptr_array_new_with_free_func(g_free);
	w.fabric = ela_mem_fabric_new("bench", 1, ELA_MEM_VIRTUAL);
	make_node(&w, loader, dir, 0, keys);
	make_node(&w, loader, dir, 1, keys);
	run(&w, 2 * ELA_SEC);
	ela_mem_device_collect(ela_mem_device(w.fabric, "b"), false);
	ela_mem_tap(w.fabric, tap, &w);
	w.capture = true;
	(void)make_packet(bytes, super, &packet);
	(void)ela_mem_device_replay(
		ela_mem_device(w.fabric, "a"), 0, &packet, count); /* the counters below would show it */
	while (ela_node_turn(w.nodes[0]))
		;
	opened = ela_node_counter(w.nodes[1], "frames-in");
	for (guint i = 0; rx && i < w.kept->len; i++) {
		const struct kept *k = g_ptr_array_index(w.kept, i);

		(void)ela_mem_inject(w.fabric, &k->from, &k->to, k->bytes, k->len, k->segment); /* counted below */
		while (ela_node_turn(w.nodes[1]))
			;
	}
	opened = ela_node_counter(w.nodes[1], "frames-in") - opened;
	(void)printf("packets=%" G_GUINT64_FORMAT " trains=%u frames-opened=%" G_GUINT64_FORMAT "\n",
		ela_node_counter(w.nodes[0], "device-packets-in"), w.kept->len, opened);
	return rx && opened != count * (super ? SEGMENTS : 1);
}
