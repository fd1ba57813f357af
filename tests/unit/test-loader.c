/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-loader: descriptors that are linked in, broken one field at a time: each refusal says what was found and what
 * was wanted; and what becomes of tables of other sizes and of absent operations. One thread.
 */
#include "fake-plugins.h"
#include "loader.h"
#include <check.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static struct ela_loader *loader_new(void)
{
	static const char *const dirs[] = {NULL};

	return ela_loader_new(dirs);
}

static void expect_error(const GError *error, int code, const char *pattern)
{
	g_autofree char *free_ends = g_strdup_printf("*%s*", pattern);

	ck_assert_ptr_nonnull(error);
	ck_assert(error->domain == ELA_LOADER_ERROR);
	ck_assert_msg(error->code == code && g_pattern_match_simple(free_ends, error->message), "found %d %s\nwanted %d %s",
		error->code, error->message, code, free_ends);
}

/* A descriptor with everything that it points to, to be broken. */
struct plugin {
	struct ela_plugin d;
	struct ela_npd_ops npd;
	struct ela_cipher_ops cipher;
	struct ela_transport_ops transport;
	struct ela_routing_ops routing;
	struct ela_option options[2];
	const char *counters[2];
	struct ela_suite suites[2];
	struct ela_known_answer known;
};

static void plugin_fill(struct plugin *p, uint32_t kind)
{
	static const struct ela_plugin *const good[] = {[ELA_KIND_NPD] = &fake_npd_tun,
		[ELA_KIND_CIPHER] = &fake_cipher_aead,
		[ELA_KIND_TRANSPORT] = &fake_transport_udp,
		[ELA_KIND_ROUTING] = &fake_route_static};
	void *const tables[] = {[ELA_KIND_NPD] = &p->npd,
		[ELA_KIND_CIPHER] = &p->cipher,
		[ELA_KIND_TRANSPORT] = &p->transport,
		[ELA_KIND_ROUTING] = &p->routing};

	*p = (struct plugin){.d = *good[kind]};
	memcpy(tables[kind], p->d.ops, p->d.ops_size);
	p->d.ops = tables[kind];
	p->options[0] = (struct ela_option){.key = "one", .help = "h", .type = ELA_OPTION_INT, .min = 1, .max = 9};
	p->options[1] = (struct ela_option){.key = "two", .help = "h", .type = ELA_OPTION_STRING, .min = 0, .max = 9};
	p->counters[0] = "drop-one";
	p->counters[1] = "drop-two";
	p->d.options = p->options;
	p->d.n_options = 2;
	p->d.counters = p->counters;
	p->d.n_counters = 2;
	if (kind == ELA_KIND_CIPHER) {
		p->suites[0] = p->suites[1] = p->cipher.suites[0];
		p->suites[1].name = "second";
		p->known = p->suites[0].known[0];
		p->suites[0].known = p->suites[1].known = &p->known;
		p->cipher.suites = p->suites;
		p->cipher.n_suites = 2;
	}
}

#define LONG33 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG49 LONG33 "aaaaaaaaaaaaaaaa"

/* Names one breakage: CASE(kind, "pattern", statement on p). */
#define BREAK(name, statement)                                                                                         \
	static void break_##name(struct plugin *p)                                                                         \
	{                                                                                                                  \
		statement;                                                                                                     \
	}

BREAK(nothing, (void)p)
BREAK(magic, p->d.magic = 0x12345678)
BREAK(major, p->d.abi_major = 1)
BREAK(minor, p->d.abi_minor = ELA_ABI_MINOR + 1)
BREAK(older_minor, p->d.abi_minor = 0)
BREAK(kind0, p->d.kind = 0)
BREAK(kind5, p->d.kind = 5)
BREAK(name_null, p->d.name = NULL)
BREAK(name_empty, p->d.name = "")
BREAK(name_long, p->d.name = LONG33)
BREAK(name_upper, p->d.name = "Tun")
BREAK(name_slash, p->d.name = "../tun")
BREAK(version_null, p->d.version = NULL)
BREAK(version_long, p->d.version = LONG33)
BREAK(licence_null, p->d.licence = NULL)
BREAK(summary_null, p->d.summary = NULL)
BREAK(summary_control, p->d.summary = "a\nb")
BREAK(summary_utf8, p->d.summary = "\xff")
BREAK(ops_null, p->d.ops = NULL)
BREAK(ops_small, p->d.ops_size -= 8)
BREAK(npd_ops_small, p->d.ops_size = (uint32_t)offsetof(struct ela_npd_ops, caps))
BREAK(ops_zero, p->d.ops_size = 0)
BREAK(ops_odd, p->d.ops_size += 4)
BREAK(reserved, p->d.reserved = 1)
BREAK(reserved32, p->d.reserved32 = 1)
BREAK(npd_create, p->npd.create = NULL)
BREAK(npd_caps, p->npd.caps = NULL)
BREAK(cipher_open, p->cipher.open = NULL)
BREAK(transport_info, p->transport.info = NULL)
BREAK(transport_send, p->transport.send_burst = NULL)
BREAK(transport_none, p->d.ops_size = (uint32_t)offsetof(struct ela_transport_ops, lane_fd))
BREAK(transport_half, p->transport.conn_fd = (int (*)(void *, void *))(uintptr_t)16)
BREAK(routing_lookup, p->routing.lookup = NULL)
BREAK(options_null, p->d.options = NULL)
BREAK(options_many, p->d.n_options = 65)
BREAK(option_size, p->d.option_size = 64)
BREAK(option_size_odd, p->d.option_size = 76)
BREAK(option_twice, p->options[1] = p->options[0])
BREAK(option_key, p->options[1].key = NULL)
BREAK(option_key_bad, p->options[1].key = "a b")
BREAK(option_help, p->options[0].help = NULL)
BREAK(option_type0, p->options[0].type = 0)
BREAK(option_type8, p->options[0].type = 8)
BREAK(option_flags, p->options[0].flags = 4)
BREAK(option_reserved, p->options[0].reserved = 1)
BREAK(option_range, p->options[0].min = 10)
BREAK(option_text_max, p->options[1].max = 1025)
BREAK(option_text_none, p->options[1].max = 0)
BREAK(option_text_negative, p->options[1].min = -1)
BREAK(option_default, p->options[0].def = "10")
BREAK(option_default_form, p->options[0].def = "x")
BREAK(option_default_list, (p->options[0].flags = ELA_OPTION_LIST, p->options[0].def = "1, 2,30"))
BREAK(option_default_empty, (p->options[0].flags = ELA_OPTION_LIST, p->options[0].def = "1,,2"))
BREAK(option_choices, p->options[0].choices = "a|b")
BREAK(option_choice_null, p->options[0].type = ELA_OPTION_CHOICE)
BREAK(option_choice_bad, (p->options[0].type = ELA_OPTION_CHOICE, p->options[0].choices = "a||b"))
BREAK(option_choice_comma, (p->options[0].type = ELA_OPTION_CHOICE, p->options[0].choices = "a,b|c"))
BREAK(option_choice_default,
	(p->options[0].type = ELA_OPTION_CHOICE, p->options[0].choices = "a|b", p->options[0].def = "c"))
BREAK(option_duration, (p->options[0].type = ELA_OPTION_DURATION, p->options[0].min = -1))
BREAK(option_ip, (p->options[0].type = ELA_OPTION_IP, p->options[0].def = "1.2.3"))
BREAK(counters_null, p->d.counters = NULL)
BREAK(counters_many, p->d.n_counters = 65)
BREAK(counter_null, p->counters[1] = NULL)
BREAK(counter_long, p->counters[1] = LONG49)
BREAK(counter_twice, p->counters[1] = p->counters[0])
BREAK(suites_null, p->cipher.suites = NULL)
BREAK(suites_none, p->cipher.n_suites = 0)
BREAK(suites_many, p->cipher.n_suites = 17)
BREAK(suite_size, p->cipher.suite_size = 72)
BREAK(suite_name, p->suites[1].name = "Second")
BREAK(suite_name_null, p->suites[1].name = NULL)
BREAK(suite_twice, p->suites[1].name = p->suites[0].name)
BREAK(suite_key_short, p->suites[0].key_len = 15)
BREAK(suite_key_long, p->suites[0].key_len = 65)
BREAK(suite_overhead_small, p->suites[0].overhead = 15)
BREAK(suite_overhead_large, p->suites[0].overhead = 65)
BREAK(suite_flags, p->suites[0].flags = 2)
BREAK(suite_random, p->suites[0].is_random = 2)
BREAK(suite_bytes, (p->suites[0].rekey_bytes = 2, p->suites[0].max_bytes = 1))
BREAK(known_null, p->suites[1].known = NULL)
BREAK(known_none, p->suites[1].n_known = 0)
BREAK(known_key, p->known.key = NULL)
BREAK(known_plain, (p->known.plain = NULL, p->known.plain_len = 1, p->known.sealed_len = 17))
BREAK(known_short, p->known.sealed_len = 0)
BREAK(known_long, p->known.sealed_len = 17)

#define N ELA_KIND_NPD
#define C ELA_KIND_CIPHER
#define T ELA_KIND_TRANSPORT
#define R ELA_KIND_ROUTING

static const struct {
	uint32_t kind;
	void (*fn)(struct plugin *p);
	const char *pattern; /* NULL = accepted */
} cases[] = {
	{N, break_nothing, NULL},
	{C, break_nothing, NULL},
	{T, break_nothing, NULL},
	{R, break_nothing, NULL},
	{N, break_older_minor, NULL},
	{N, break_magic, "magic: found 0x12345678, wanted 0x70414c45"},
	{N, break_major, "ABI major: found 1, wanted 0"},
	{N, break_minor, "ABI version: found 0.4, wanted at most 0.3"},
	{N, break_kind0, "kind: found 0, wanted 1..4"},
	{N, break_kind5, "kind: found 5, wanted 1..4"},
	{N, break_name_null, "name: found NULL, wanted 1..32 bytes"},
	{N, break_name_empty, "name: found an empty text, wanted 1..32 bytes"},
	{N, break_name_long, "name: found a longer one, wanted 1..32 bytes"},
	{N, break_name_upper, "name: found \"Tun\", wanted 1..32 of a-z 0-9 -"},
	{N, break_name_slash, "name: found \"../tun\", wanted"},
	{N, break_version_null, "version: found NULL, wanted 1..32 bytes"},
	{N, break_version_long, "version: found a longer one, wanted"},
	{N, break_licence_null, "licence: found NULL, wanted"},
	{N, break_summary_null, "summary: found NULL, wanted"},
	{N, break_summary_control, "summary: found a control character, wanted"},
	{N, break_summary_utf8, "summary: found no UTF-8, wanted"},
	{N, break_ops_null, "operations: found NULL, wanted a table"},
	{N, break_npd_ops_small, "size of the operations: found 64 bytes, wanted at least 72"},
	{C, break_ops_small, "size of the operations: found 56 bytes, wanted at least 64"},
	{N, break_ops_zero, "size of the operations: found 0 bytes, wanted at least 72"},
	{R, break_ops_odd, "size of the operations: found 108 bytes, wanted at least 88, a multiple of 8"},
	{N, break_reserved, "reserved fields: found another value, wanted 0"},
	{N, break_reserved32, "reserved fields: found another value, wanted 0"},
	{N, break_npd_create, "create: found NULL, wanted a function"},
	{N, break_npd_caps, "caps: found NULL, wanted a function"},
	{C, break_cipher_open, "open: found NULL, wanted a function"},
	{T, break_transport_info, "info: found NULL, wanted a function"},
	{T, break_transport_send, "send_burst: found NULL among the datagram operations, wanted all or none"},
	{T, break_transport_none, "operations: found neither, wanted those of datagrams, of streams or both"},
	{T, break_transport_half, "connect: found NULL among the stream operations, wanted all or none"},
	{R, break_routing_lookup, "lookup: found NULL, wanted a function"},
	{N, break_options_null, "options: found NULL with n_options 2, wanted a table"},
	{N, break_options_many, "options: found 65, wanted at most 64"},
	{N, break_option_size, "option size: found 64 bytes, wanted at least 72"},
	{N, break_option_size_odd, "option size: found 76 bytes, wanted"},
	{N, break_option_twice, "options: found one twice, wanted each key once"},
	{N, break_option_key, "key of option 1: found NULL, wanted"},
	{N, break_option_key_bad, "key of option 1: found \"a b\", wanted"},
	{N, break_option_help, "option one: found NULL, wanted"},
	{N, break_option_type0, "option one: found type 0, wanted a type 1..7"},
	{N, break_option_type8, "option one: found type 8, wanted a type 1..7"},
	{N, break_option_flags, "option one: found flags 0x4, wanted"},
	{N, break_option_reserved, "option one: found another value, wanted reserved fields 0"},
	{N, break_option_range, "option one: found range 10..9, wanted min <= max"},
	{N, break_option_text_max, "option two: found max 1025, wanted a text's length"},
	{N, break_option_text_none, "option two: found max 0, wanted a text's length"},
	{N, break_option_text_negative, "option two: found range -1..9, wanted"},
	{N, break_option_default, "option one: found default \"10\", wanted a whole number 1..9"},
	{N, break_option_default_form, "option one: found default \"x\", wanted a whole number 1..9"},
	{N, break_option_default_list, "option one: found default \"1, 2,30\", wanted"},
	{N, break_option_default_empty, "option one: found default \"1,,2\", wanted"},
	{N, break_option_choices, "option one: found choices, wanted choices only with type choice"},
	{N, break_option_choice_null, "option one: found NULL, wanted"},
	{N, break_option_choice_bad, "option one: found \"a||b\", wanted choices such as"},
	{N, break_option_choice_comma, "option one: found \"a,b|c\", wanted choices such as"},
	{N, break_option_choice_default, "option one: found default \"c\", wanted a or b"},
	{N, break_option_duration, "option one: found range -1..9, wanted"},
	{N, break_option_ip, "option one: found default \"1.2.3\", wanted an IPv4 or IPv6 address"},
	{N, break_counters_null, "counters: found NULL with n_counters 2, wanted a table"},
	{N, break_counters_many, "counters: found 65, wanted at most 64"},
	{N, break_counter_null, "counter 1: found NULL, wanted 1..48 bytes"},
	{N, break_counter_long, "counter 1: found a longer one, wanted 1..48 bytes"},
	{N, break_counter_twice, "counters: found drop-one twice, wanted each name once"},
	{C, break_suites_null, "suites: found NULL with n_suites 2, wanted a table of 1..16"},
	{C, break_suites_none, "suites: found one with n_suites 0, wanted a table of 1..16"},
	{C, break_suites_many, "suites: found one with n_suites 17, wanted"},
	{C, break_suite_size, "suite size: found 72 bytes, wanted at least 80"},
	{C, break_suite_name, "name of suite 1: found another name, wanted 1..32 of"},
	{C, break_suite_name_null, "name of suite 1: found another name, wanted 1..32 of"},
	{C, break_suite_twice, "suites: found fake-gcm twice, wanted each name once"},
	{C, break_suite_key_short, "fake-gcm: found 15, wanted a key of 16..64 bytes"},
	{C, break_suite_key_long, "fake-gcm: found 65, wanted a key of 16..64 bytes"},
	{C, break_suite_overhead_small, "fake-gcm: found 15, wanted an overhead of 16..64"},
	{C, break_suite_overhead_large, "fake-gcm: found 65, wanted an overhead of 16..64"},
	{C, break_suite_flags, "fake-gcm: found 0x2 and 0, wanted flag WEAK only"},
	{C, break_suite_random, "fake-gcm: found 0x0 and 2, wanted flag WEAK only"},
	{C, break_suite_bytes, "fake-gcm: found 2 and 1, wanted rekey_bytes <= max_bytes"},
	{C, break_known_null, "second: found 1 at *, wanted 1..64 known answers"},
	{C, break_known_none, "second: found 0 at *, wanted 1..64 known answers"},
	{C, break_known_key, "fake-gcm: found NULL in known answer 0, wanted key, nonce, plain and sealed"},
	{C, break_known_plain, "fake-gcm: found NULL in known answer 0, wanted key, nonce, plain and sealed"},
	{C, break_known_short, "fake-gcm: found 0 and 0 bytes in known answer 0, wanted plain_len < sealed_len"},
	{C, break_known_long, "fake-gcm: found 0 and 17 bytes in known answer 0, wanted plain_len < sealed_len"},
};

START_TEST(each_descriptor)
{
	struct ela_loader *loader = loader_new();
	g_autoptr(GError) error = NULL;
	const struct ela_loaded *loaded;
	struct plugin p;

	plugin_fill(&p, cases[_i].kind);
	cases[_i].fn(&p);
	loaded = ela_loader_add(loader, &p.d, &error);
	if (cases[_i].pattern == NULL) {
		ck_assert_msg(loaded != NULL, "refused: %s", error != NULL ? error->message : "");
		ck_assert_ptr_eq(loaded->descriptor, &p.d);
	} else {
		ck_assert_msg(loaded == NULL, "accepted: %s", cases[_i].pattern);
		expect_error(error, ELA_LOADER_REFUSED, cases[_i].pattern);
	}
	ela_loader_free(loader);
}
END_TEST

/* A second plugin of a name is refused and the first one stays. */
START_TEST(added_once)
{
	struct ela_loader *loader = loader_new();
	g_autoptr(GError) error = NULL;
	const struct ela_loaded *first = ela_loader_add(loader, &fake_npd_tun, NULL);
	struct plugin p;

	plugin_fill(&p, ELA_KIND_NPD);
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_null(ela_loader_add(loader, &p.d, &error));
	expect_error(error, ELA_LOADER_REFUSED, "npd-tun: plugin: found a second one, wanted each name once");
	ck_assert_ptr_eq(ela_loader_load(loader, ELA_KIND_NPD, "tun", NULL), first);
	ck_assert_str_eq(first->file, "");
	ck_assert_str_eq(first->section, "npd-tun");
	ela_loader_free(loader);
}
END_TEST

/* Absent optional operations are there and do as the headers say. */
START_TEST(filled_operations)
{
	struct ela_loader *loader = loader_new();
	const struct ela_loaded *npd = ela_loader_add(loader, &fake_npd_tun, NULL);
	const struct ela_loaded *udp = ela_loader_add(loader, &fake_transport_udp, NULL), *streams;
	const struct ela_loaded *routing = ela_loader_add(loader, &fake_route_static, NULL);
	const struct ela_loaded *ring = ela_loader_add(loader, &fake_route_chord, NULL);
	struct plugin p;
	int err = 0;

	ck_assert_int_eq(npd->npd.set_mtu(NULL, 1400), -EOPNOTSUPP);
	ck_assert_int_eq(npd->npd.set_addresses(NULL, NULL, 0), -EOPNOTSUPP);
	ck_assert(npd->npd.caps == ((const struct ela_npd_ops *)fake_npd_tun.ops)->caps);
	ck_assert(npd->cipher.create == NULL);
	ck_assert_int_eq(routing->routing.join(NULL) | routing->routing.leave(NULL), 0);
	ck_assert(!routing->has_ring && ring->has_ring && !npd->has_ring);
	routing->routing.on_message(NULL, 1, "", 0);
	routing->routing.on_link(NULL, 1, ELA_LINK_UP);
	ck_assert_int_eq(udp->transport.connect(NULL, NULL, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(udp->transport.conn_fd(NULL, NULL), -1);
	ck_assert_int_eq(udp->transport.conn_attach(NULL, NULL, 0), -EOPNOTSUPP);
	ck_assert_int_eq(udp->transport.conn_read(NULL, NULL, NULL, 0, &err), 0);
	ck_assert_int_eq(err, -EOPNOTSUPP);
	err = 0;
	ck_assert_int_eq(udp->transport.conn_write(NULL, NULL, NULL, 0, &err), 0);
	ck_assert_int_eq(err, -EOPNOTSUPP);
	udp->transport.conn_close(NULL, NULL);
	ck_assert_int_eq(udp->transport.probe(NULL, NULL, NULL, 0), -EOPNOTSUPP);
	/* a transport of streams alone: the loader's own stand in for datagrams */
	plugin_fill(&p, ELA_KIND_TRANSPORT);
	p.transport = udp->transport;
	p.transport.lane_fd = NULL;
	p.transport.read_burst = NULL;
	p.transport.send_burst = NULL;
	p.d.name = "streams";
	streams = ela_loader_add(loader, &p.d, NULL);
	ck_assert_ptr_nonnull(streams);
	ck_assert_int_eq(streams->transport.lane_fd(NULL, 0, 0), -ENOENT);
	err = 0;
	ck_assert_int_eq(streams->transport.read_burst(NULL, 0, NULL, 1, &err), 0);
	ck_assert_int_eq(err, -EOPNOTSUPP);
	err = 0;
	ck_assert_int_eq(streams->transport.send_burst(NULL, 0, NULL, 1, &err), 0);
	ck_assert_int_eq(err, -EOPNOTSUPP);
	ela_loader_free(loader);
}
END_TEST

static int not_the_plugins(void *self, const char *const *addresses, uint32_t n)
{
	(void)self;
	(void)addresses;
	(void)n;
	return 0;
}

/* A plugin that was built with the headers of 0.1: its table ends where that version's did. */
START_TEST(built_for_0_1)
{
	struct ela_loader *loader = loader_new();
	const struct ela_loaded *loaded;
	struct plugin p;

	plugin_fill(&p, ELA_KIND_NPD);
	p.d.abi_minor = 1;
	p.d.ops_size = 72; /* tests/abi/abi-0.1.txt */
	p.npd.set_addresses = not_the_plugins;
	loaded = ela_loader_add(loader, &p.d, NULL);
	ck_assert_ptr_nonnull(loaded);
	ck_assert_int_eq(loaded->npd.set_addresses(NULL, NULL, 0), -EOPNOTSUPP);
	ck_assert(loaded->npd.caps == p.npd.caps);
	ela_loader_free(loader);
}
END_TEST

static int not_this_either(void *self, const struct ela_addr *remote, const void *bytes, uint32_t len)
{
	(void)self;
	(void)remote;
	(void)bytes;
	(void)len;
	return 0;
}

/* A transport that was built with the headers of 0.2. */
START_TEST(built_for_0_2)
{
	struct ela_loader *loader = loader_new();
	const struct ela_loaded *loaded;
	struct plugin p;

	plugin_fill(&p, ELA_KIND_TRANSPORT);
	p.d.abi_minor = 2;
	p.d.ops_size = 112; /* tests/abi/abi-0.2.txt */
	p.transport.probe = not_this_either;
	loaded = ela_loader_add(loader, &p.d, NULL);
	ck_assert_ptr_nonnull(loaded);
	ck_assert_int_eq(loaded->transport.probe(NULL, NULL, NULL, 0), -EOPNOTSUPP);
	ck_assert(loaded->transport.send_burst == p.transport.send_burst);
	ela_loader_free(loader);
}
END_TEST

/* Tables of another size: a shorter one (fewer optional operations) is filled, a longer one is cut. */
START_TEST(other_sizes)
{
	struct ela_loader *loader = loader_new();
	const struct ela_loaded *loaded;
	struct plugin p, q;
	struct {
		struct ela_npd_ops ops;
		void *later[4];
	} longer;

	plugin_fill(&p, ELA_KIND_ROUTING);
	p.d.ops_size = (uint32_t)offsetof(struct ela_routing_ops, on_message);
	p.routing.on_message = (void (*)(void *, uint32_t, const void *, uint32_t))(uintptr_t)16; /* not the plugin's */
	loaded = ela_loader_add(loader, &p.d, NULL);
	ck_assert_ptr_nonnull(loaded);
	loaded->routing.on_message(NULL, 1, "", 0);
	plugin_fill(&q, ELA_KIND_NPD);
	memset(&longer, 0xff, sizeof longer);
	longer.ops = q.npd;
	q.d.ops = &longer;
	q.d.ops_size = sizeof longer;
	loaded = ela_loader_add(loader, &q.d, NULL);
	ck_assert_ptr_nonnull(loaded);
	ck_assert_ptr_null(loaded->cipher.suites);
	ck_assert(loaded->cipher.create == NULL);
	ela_loader_free(loader);
}
END_TEST

/* A plugin whose option entries are larger than ours. */
START_TEST(other_strides)
{
	struct ela_loader *loader = loader_new();
	const struct ela_loaded *loaded;
	struct plugin p;
	struct {
		struct ela_option option;
		uint64_t later;
	} wide[2];

	plugin_fill(&p, ELA_KIND_NPD);
	memset(wide, 0xff, sizeof wide);
	wide[0].option = p.options[0];
	wide[1].option = p.options[1];
	p.d.options = &wide[0].option;
	p.d.option_size = sizeof wide[0];
	loaded = ela_loader_add(loader, &p.d, NULL);
	ck_assert_ptr_nonnull(loaded);
	ck_assert_str_eq(ela_loaded_option(loaded, 1)->key, "two");
	ck_assert_ptr_null(ela_loaded_option(loaded, 2));
	ck_assert_ptr_null(ela_loaded_suite(loaded, 0));
	ela_loader_free(loader);
}
END_TEST

START_TEST(prefixes)
{
	ck_assert_str_eq(ela_loader_prefix(ELA_KIND_NPD), "npd");
	ck_assert_str_eq(ela_loader_prefix(ELA_KIND_CIPHER), "cipher");
	ck_assert_str_eq(ela_loader_prefix(ELA_KIND_TRANSPORT), "transport");
	ck_assert_str_eq(ela_loader_prefix(ELA_KIND_ROUTING), "route");
	ck_assert_ptr_null(ela_loader_prefix(0));
	ck_assert_ptr_null(ela_loader_prefix(5));
}
END_TEST

static Suite *loader_suite(void)
{
	Suite *suite = suite_create("loader");
	TCase *descriptors = tcase_create("descriptors");

	tcase_add_loop_test(descriptors, each_descriptor, 0, (int)G_N_ELEMENTS(cases));
	tcase_add_test(descriptors, added_once);
	tcase_add_test(descriptors, filled_operations);
	tcase_add_test(descriptors, built_for_0_1);
	tcase_add_test(descriptors, built_for_0_2);
	tcase_add_test(descriptors, other_sizes);
	tcase_add_test(descriptors, other_strides);
	tcase_add_test(descriptors, prefixes);
	suite_add_tcase(suite, descriptors);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(loader_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
