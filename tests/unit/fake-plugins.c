/* SPDX-License-Identifier: Apache-2.0 */
/* fake-plugins: descriptors with operations that do nothing. They are never called: config and the loader only look. */
#include "fake-plugins.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int fake_create(const struct ela_host *host, void **ret_self)
{
	(void)host;
	(void)ret_self;
	return -ENODEV;
}

static void fake_void(void *self)
{
	(void)self;
}

static int fake_int(void *self)
{
	(void)self;
	return 0;
}

static uint32_t fake_caps(void *self)
{
	(void)self;
	return 0;
}

static int fake_open(void *self, const struct ela_npd_config *config, struct ela_npd_info *ret_info)
{
	(void)self;
	(void)config;
	(void)ret_info;
	return -ENODEV;
}

static int fake_queue_fd(void *self, uint32_t queue)
{
	(void)self;
	(void)queue;
	return -1;
}

static int fake_npd_read(void *self, uint32_t queue, uint8_t *arena, uint32_t arena_len, uint32_t headroom,
	struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	(void)self;
	(void)queue;
	(void)arena;
	(void)arena_len;
	(void)headroom;
	(void)pkts;
	(void)n;
	*ret_err = -EAGAIN;
	return 0;
}

static int fake_npd_write(void *self, uint32_t queue, const struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	(void)self;
	(void)queue;
	(void)pkts;
	(void)n;
	*ret_err = -EAGAIN;
	return 0;
}

static int fake_key_new(void *self, uint32_t suite, uint32_t direction, const uint8_t *key, void **ret_key)
{
	(void)self;
	(void)suite;
	(void)direction;
	(void)key;
	(void)ret_key;
	return -ENODEV;
}

static uint32_t fake_cipher_burst(void *key, struct ela_cipher_op *ops, uint32_t n)
{
	(void)key;
	(void)ops;
	(void)n;
	return 0;
}

static int fake_start(void *self, uint32_t n_lanes)
{
	(void)self;
	(void)n_lanes;
	return 0;
}

static void fake_info(void *self, struct ela_transport_info *ret)
{
	(void)self;
	*ret = (struct ela_transport_info){.caps = ELA_TRANSPORT_DATAGRAM};
}

static int fake_lane_fd(void *self, uint32_t lane, uint32_t k)
{
	(void)self;
	(void)lane;
	(void)k;
	return -ENOENT;
}

static int fake_read_burst(void *self, uint32_t lane, struct ela_train *trains, uint32_t n, int *ret_err)
{
	(void)self;
	(void)lane;
	(void)trains;
	(void)n;
	*ret_err = -EAGAIN;
	return 0;
}

static int fake_send_burst(void *self, uint32_t lane, const struct ela_send *sends, uint32_t n, int *ret_err)
{
	(void)self;
	(void)lane;
	(void)sends;
	(void)n;
	*ret_err = -EAGAIN;
	return 0;
}

static int fake_record(void *self, uint32_t id, const void *record, uint32_t len)
{
	(void)self;
	(void)id;
	(void)record;
	(void)len;
	return 0;
}

static int fake_remove(void *self, uint32_t id)
{
	(void)self;
	(void)id;
	return -ENOENT;
}

static void fake_lookup(void *self, uint32_t id, ela_lookup_done done, void *data)
{
	(void)self;
	(void)id;
	done(data, -ENOENT, NULL, 0);
}

static const struct ela_npd_ops npd_ops = {
	.create = fake_create,
	.destroy = fake_void,
	.open = fake_open,
	.close = fake_void,
	.queue_fd = fake_queue_fd,
	.read_burst = fake_npd_read,
	.write_burst = fake_npd_write,
	.caps = fake_caps,
};

static const uint8_t zeros[48];
static const struct ela_known_answer known = {
	.key = zeros, .nonce = zeros, .plain = zeros, .sealed = zeros, .plain_len = 0, .sealed_len = 16};
static const struct ela_suite suites[] = {
	{.name = "fake-gcm", .key_len = 32, .overhead = 16, .known = &known, .n_known = 1},
};
static const struct ela_cipher_ops cipher_ops = {
	.suites = suites,
	.n_suites = 1,
	.suite_size = sizeof(struct ela_suite),
	.create = fake_create,
	.destroy = fake_void,
	.key_new = fake_key_new,
	.key_free = fake_void,
	.seal = fake_cipher_burst,
	.open = fake_cipher_burst,
};

static const struct ela_transport_ops transport_ops = {
	.create = fake_create,
	.destroy = fake_void,
	.start = fake_start,
	.stop = fake_void,
	.info = fake_info,
	.lane_fd = fake_lane_fd,
	.read_burst = fake_read_burst,
	.send_burst = fake_send_burst,
};

static const struct ela_routing_ops routing_ops = {
	.create = fake_create,
	.destroy = fake_void,
	.start = fake_int,
	.stop = fake_void,
	.peers_changed = fake_void,
	.insert = fake_record,
	.update = fake_record,
	.remove = fake_remove,
	.lookup = fake_lookup,
};

static const struct ela_routing_ops ring_ops = {
	.create = fake_create,
	.destroy = fake_void,
	.start = fake_int,
	.stop = fake_void,
	.peers_changed = fake_void,
	.join = fake_int,
	.insert = fake_record,
	.update = fake_record,
	.remove = fake_remove,
	.lookup = fake_lookup,
};

static const struct ela_option tun_options[] = {
	{.key = "interface", .def = "ela0", .help = "name", .type = ELA_OPTION_STRING, .min = 1, .max = 15},
	{.key = "mode", .def = "lan", .choices = "lan|ptp", .help = "mode", .type = ELA_OPTION_CHOICE},
	{.key = "mtu", .help = "bytes", .unit = "bytes", .type = ELA_OPTION_INT, .min = 576, .max = 65535},
	{.key = "level", .def = "0", .help = "level", .type = ELA_OPTION_INT, .min = -10, .max = 10},
	{.key = "delay",
		.def = "250ms",
		.help = "delay",
		.type = ELA_OPTION_DURATION,
		.min = 1000000,
		.max = 604800000000000,
		.flags = ELA_OPTION_RELOAD},
	{.key = "rate", .def = "10mbit", .help = "rate", .type = ELA_OPTION_RATE, .min = 1000, .max = 100000000000},
	{.key = "ring", .def = "64k", .help = "ring", .type = ELA_OPTION_SIZE, .min = 1024, .max = 8388608},
	{.key = "gateway", .help = "gateway", .type = ELA_OPTION_IP},
	{.key = "names",
		.def = "a, bb",
		.help = "names",
		.type = ELA_OPTION_STRING,
		.min = 1,
		.max = 3,
		.flags = ELA_OPTION_LIST},
};

static const struct ela_option transport_options[] = {
	{.key = "listen", .def = "0.0.0.0", .help = "addresses", .type = ELA_OPTION_IP, .flags = ELA_OPTION_LIST},
	{.key = "port", .def = "7450", .help = "port", .type = ELA_OPTION_INT, .min = 1, .max = 65535},
	{.key = "gso", .def = "auto", .choices = "auto|off", .help = "gso", .type = ELA_OPTION_CHOICE},
};

#define FAKE(name_text, kind_value, ops_table, option_table, option_count)                                             \
	{                                                                                                                  \
		.magic = ELA_PLUGIN_MAGIC, .abi_major = ELA_ABI_MAJOR, .abi_minor = ELA_ABI_MINOR, .kind = (kind_value),       \
		.ops_size = sizeof(ops_table), .name = (name_text), .version = "1", .licence = "Apache-2.0",                   \
		.summary = "linked in for tests", .ops = &(ops_table), .options = (option_table), .n_options = (option_count), \
		.option_size = sizeof(struct ela_option)                                                                       \
	}

const struct ela_plugin fake_npd_tun = FAKE("tun", ELA_KIND_NPD, npd_ops, tun_options, G_N_ELEMENTS(tun_options));
const struct ela_plugin fake_npd_mem = FAKE("mem", ELA_KIND_NPD, npd_ops, NULL, 0);
const struct ela_plugin fake_cipher_aead = FAKE("aead", ELA_KIND_CIPHER, cipher_ops, NULL, 0);
const struct ela_plugin fake_cipher_blowfish = FAKE("blowfish", ELA_KIND_CIPHER, cipher_ops, NULL, 0);
const struct ela_plugin fake_transport_udp =
	FAKE("udp", ELA_KIND_TRANSPORT, transport_ops, transport_options, G_N_ELEMENTS(transport_options));
const struct ela_plugin fake_transport_tcp =
	FAKE("tcp", ELA_KIND_TRANSPORT, transport_ops, transport_options, G_N_ELEMENTS(transport_options));
const struct ela_plugin fake_route_static = FAKE("static", ELA_KIND_ROUTING, routing_ops, NULL, 0);
const struct ela_plugin fake_route_chord = FAKE("chord", ELA_KIND_ROUTING, ring_ops, NULL, 0);
const struct ela_plugin fake_route_table = FAKE("table", ELA_KIND_ROUTING, routing_ops, NULL, 0);

struct ela_loader *fake_loader_new(const char *const *dirs)
{
	static const struct ela_plugin *const all[] = {&fake_npd_tun, &fake_npd_mem, &fake_cipher_aead,
		&fake_cipher_blowfish, &fake_transport_udp, &fake_transport_tcp, &fake_route_static, &fake_route_chord,
		&fake_route_table};
	struct ela_loader *loader = ela_loader_new(dirs);

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		g_autoptr(GError) error = NULL;

		if (ela_loader_add(loader, all[i], &error) == NULL) {
			(void)fprintf(stderr, "fake plugin refused: %s\n", error->message);
			exit(1);
		}
	}
	return loader;
}
