/* SPDX-License-Identifier: Apache-2.0 */
/*
 * abi-table: prints what the plugin ABI is to the machine: sizes, offsets of fields, slots of tables, values of
 * constants. With a file's name it compares that recorded table with what the headers give now, line by line. One
 * thread.
 */
#include <ela/ela.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
	const char *format; /* of the value, below */
	const char *name;
	unsigned long long offset, size;
	const char *text;
};

#define STRUCT(type)                                                                                                   \
	{                                                                                                                  \
		"struct", #type, _Alignof(struct type), sizeof(struct type), NULL                                              \
	}
#define FIELD(type, field)                                                                                             \
	{                                                                                                                  \
		"field", #type "." #field, offsetof(struct type, field), sizeof(((struct type *)0)->field), NULL               \
	}
#define CONST(constant)                                                                                                \
	{                                                                                                                  \
		"const", #constant, 0, (constant), NULL                                                                        \
	}
#define TEXT(constant)                                                                                                 \
	{                                                                                                                  \
		"text", #constant, 0, 0, (constant)                                                                            \
	}

static const struct line table[] = {
	CONST(ELA_ABI_MAJOR),
	CONST(ELA_ABI_MINOR),
	CONST(ELA_PLUGIN_MAGIC),
	TEXT(ELA_PLUGIN_SYMBOL),
	CONST(ELA_KIND_NPD),
	CONST(ELA_KIND_CIPHER),
	CONST(ELA_KIND_TRANSPORT),
	CONST(ELA_KIND_ROUTING),
	CONST(ELA_OPTION_INT),
	CONST(ELA_OPTION_STRING),
	CONST(ELA_OPTION_CHOICE),
	CONST(ELA_OPTION_DURATION),
	CONST(ELA_OPTION_RATE),
	CONST(ELA_OPTION_SIZE),
	CONST(ELA_OPTION_IP),
	CONST(ELA_OPTION_LIST),
	CONST(ELA_OPTION_RELOAD),
	CONST(ELA_PLUGIN_MAX_COUNTERS),
	CONST(ELA_ADDR_NONE),
	CONST(ELA_ADDR_IP4),
	CONST(ELA_ADDR_IP6),
	CONST(ELA_ADDR_OTHER),
	CONST(ELA_GSO_NONE),
	CONST(ELA_GSO_TCP4),
	CONST(ELA_GSO_TCP6),
	CONST(ELA_GSO_UDP4),
	CONST(ELA_GSO_UDP6),
	CONST(ELA_PACKET_NEEDS_CSUM),
	CONST(ELA_LOG_ERROR),
	CONST(ELA_LOG_WARN),
	CONST(ELA_LOG_INFO),
	CONST(ELA_LOG_DEBUG),
	CONST(ELA_LOG_TRACE),
	CONST(ELA_EVENT_READ),
	CONST(ELA_EVENT_WRITE),
	CONST(ELA_EVENT_ERROR),
	CONST(ELA_LANE_CONTROL),
	CONST(ELA_MAX_LANES),
	CONST(ELA_CONN_OPEN),
	CONST(ELA_CONN_ACCEPTED),
	CONST(ELA_CONN_CLOSED),
	CONST(ELA_NPD_CSUM),
	CONST(ELA_NPD_TSO4),
	CONST(ELA_NPD_TSO6),
	CONST(ELA_NPD_USO),
	CONST(ELA_CIPHER_MAX_KEY),
	CONST(ELA_CIPHER_MAX_OVERHEAD),
	CONST(ELA_SUITE_WEAK),
	CONST(ELA_CIPHER_SEAL),
	CONST(ELA_CIPHER_OPEN),
	CONST(ELA_TRANSPORT_DATAGRAM),
	CONST(ELA_TRANSPORT_STREAM),
	CONST(ELA_TRANSPORT_IP),
	CONST(ELA_RECORD_MAX),
	CONST(ELA_LINK_UP),
	CONST(ELA_LINK_DOWN),
	CONST(ELA_PEER_DATAGRAM),
	CONST(ELA_PEER_DIRECT),
	CONST(ELA_RECORD_ROLE_JOINING),
	CONST(ELA_RECORD_ROLE_CORE),
	CONST(ELA_RECORD_ROLE_EDGE),
	CONST(ELA_RECORD_LEAVE),
	STRUCT(ela_option),
	FIELD(ela_option, key),
	FIELD(ela_option, def),
	FIELD(ela_option, choices),
	FIELD(ela_option, unit),
	FIELD(ela_option, help),
	FIELD(ela_option, min),
	FIELD(ela_option, max),
	FIELD(ela_option, type),
	FIELD(ela_option, flags),
	FIELD(ela_option, reserved),
	STRUCT(ela_value),
	FIELD(ela_value, num),
	FIELD(ela_value, str),
	STRUCT(ela_plugin),
	FIELD(ela_plugin, magic),
	FIELD(ela_plugin, abi_major),
	FIELD(ela_plugin, abi_minor),
	FIELD(ela_plugin, kind),
	FIELD(ela_plugin, ops_size),
	FIELD(ela_plugin, name),
	FIELD(ela_plugin, version),
	FIELD(ela_plugin, licence),
	FIELD(ela_plugin, summary),
	FIELD(ela_plugin, ops),
	FIELD(ela_plugin, options),
	FIELD(ela_plugin, n_options),
	FIELD(ela_plugin, option_size),
	FIELD(ela_plugin, counters),
	FIELD(ela_plugin, n_counters),
	FIELD(ela_plugin, reserved32),
	FIELD(ela_plugin, reserved),
	STRUCT(ela_addr),
	FIELD(ela_addr, ip),
	FIELD(ela_addr, scope),
	FIELD(ela_addr, port),
	FIELD(ela_addr, family),
	STRUCT(ela_path),
	FIELD(ela_path, remote),
	FIELD(ela_path, local),
	FIELD(ela_path, transport),
	FIELD(ela_path, reserved),
	FIELD(ela_path, link),
	STRUCT(ela_packet),
	FIELD(ela_packet, data),
	FIELD(ela_packet, len),
	FIELD(ela_packet, gso_size),
	FIELD(ela_packet, gso_type),
	FIELD(ela_packet, flags),
	FIELD(ela_packet, csum_start),
	FIELD(ela_packet, csum_offset),
	FIELD(ela_packet, hdr_len),
	FIELD(ela_packet, reserved16),
	FIELD(ela_packet, len_total),
	FIELD(ela_packet, n_more),
	FIELD(ela_packet, more),
	FIELD(ela_packet, reserved),
	STRUCT(ela_peer_info),
	FIELD(ela_peer_info, peer),
	FIELD(ela_peer_info, id),
	FIELD(ela_peer_info, name),
	FIELD(ela_peer_info, prefixes),
	FIELD(ela_peer_info, n_prefixes),
	FIELD(ela_peer_info, flags),
	FIELD(ela_peer_info, reserved),
	STRUCT(ela_record_info),
	FIELD(ela_record_info, id),
	FIELD(ela_record_info, role),
	FIELD(ela_record_info, parent),
	FIELD(ela_record_info, flags),
	FIELD(ela_record_info, incarnation),
	FIELD(ela_record_info, sequence),
	FIELD(ela_record_info, key_hash),
	FIELD(ela_record_info, reserved),
	STRUCT(ela_host),
	FIELD(ela_host, size),
	FIELD(ela_host, n_lanes),
	FIELD(ela_host, log),
	FIELD(ela_host, option),
	FIELD(ela_host, now_ns),
	FIELD(ela_host, random),
	FIELD(ela_host, timer_new),
	FIELD(ela_host, timer_set),
	FIELD(ela_host, timer_free),
	FIELD(ela_host, watch_new),
	FIELD(ela_host, watch_set),
	FIELD(ela_host, watch_free),
	FIELD(ela_host, counters),
	FIELD(ela_host, post),
	FIELD(ela_host, conn_event),
	FIELD(ela_host, route_set),
	FIELD(ela_host, route_del),
	FIELD(ela_host, peer_next),
	FIELD(ela_host, message_send),
	FIELD(ela_host, priv),
	FIELD(ela_host, own_id),
	FIELD(ela_host, record_check),
	FIELD(ela_host, record_compare),
	FIELD(ela_host, record_set),
	FIELD(ela_host, record_del),
	FIELD(ela_host, ring_set),
	STRUCT(ela_npd_config),
	FIELD(ela_npd_config, addresses),
	FIELD(ela_npd_config, n_addresses),
	FIELD(ela_npd_config, n_queues),
	FIELD(ela_npd_config, mtu),
	FIELD(ela_npd_config, gso_max_segs),
	FIELD(ela_npd_config, routes),
	FIELD(ela_npd_config, n_routes),
	FIELD(ela_npd_config, reserved32),
	FIELD(ela_npd_config, reserved),
	STRUCT(ela_npd_info),
	FIELD(ela_npd_info, name),
	FIELD(ela_npd_info, n_queues),
	FIELD(ela_npd_info, caps),
	FIELD(ela_npd_info, mtu),
	FIELD(ela_npd_info, reserved32),
	FIELD(ela_npd_info, reserved),
	STRUCT(ela_npd_ops),
	FIELD(ela_npd_ops, create),
	FIELD(ela_npd_ops, destroy),
	FIELD(ela_npd_ops, open),
	FIELD(ela_npd_ops, close),
	FIELD(ela_npd_ops, queue_fd),
	FIELD(ela_npd_ops, read_burst),
	FIELD(ela_npd_ops, write_burst),
	FIELD(ela_npd_ops, set_mtu),
	FIELD(ela_npd_ops, caps),
	FIELD(ela_npd_ops, set_addresses),
	STRUCT(ela_known_answer),
	FIELD(ela_known_answer, key),
	FIELD(ela_known_answer, nonce),
	FIELD(ela_known_answer, plain),
	FIELD(ela_known_answer, sealed),
	FIELD(ela_known_answer, plain_len),
	FIELD(ela_known_answer, sealed_len),
	FIELD(ela_known_answer, reserved),
	STRUCT(ela_suite),
	FIELD(ela_suite, name),
	FIELD(ela_suite, key_len),
	FIELD(ela_suite, overhead),
	FIELD(ela_suite, flags),
	FIELD(ela_suite, is_random),
	FIELD(ela_suite, rekey_bytes),
	FIELD(ela_suite, max_bytes),
	FIELD(ela_suite, known),
	FIELD(ela_suite, n_known),
	FIELD(ela_suite, reserved32),
	FIELD(ela_suite, reserved),
	STRUCT(ela_cipher_op),
	FIELD(ela_cipher_op, src),
	FIELD(ela_cipher_op, dst),
	FIELD(ela_cipher_op, len),
	FIELD(ela_cipher_op, ret_len),
	FIELD(ela_cipher_op, verdict),
	FIELD(ela_cipher_op, nonce),
	FIELD(ela_cipher_op, reserved),
	STRUCT(ela_cipher_ops),
	FIELD(ela_cipher_ops, suites),
	FIELD(ela_cipher_ops, n_suites),
	FIELD(ela_cipher_ops, suite_size),
	FIELD(ela_cipher_ops, create),
	FIELD(ela_cipher_ops, destroy),
	FIELD(ela_cipher_ops, key_new),
	FIELD(ela_cipher_ops, key_free),
	FIELD(ela_cipher_ops, seal),
	FIELD(ela_cipher_ops, open),
	STRUCT(ela_transport_info),
	FIELD(ela_transport_info, caps),
	FIELD(ela_transport_info, overhead4),
	FIELD(ela_transport_info, overhead6),
	FIELD(ela_transport_info, max_datagram),
	FIELD(ela_transport_info, max_segments),
	FIELD(ela_transport_info, max_train),
	FIELD(ela_transport_info, burst),
	FIELD(ela_transport_info, port),
	FIELD(ela_transport_info, reserved16),
	FIELD(ela_transport_info, reserved),
	STRUCT(ela_train),
	FIELD(ela_train, data),
	FIELD(ela_train, room),
	FIELD(ela_train, len),
	FIELD(ela_train, segment),
	FIELD(ela_train, flags),
	FIELD(ela_train, remote),
	FIELD(ela_train, local),
	FIELD(ela_train, ecn),
	FIELD(ela_train, reserved8),
	FIELD(ela_train, reserved),
	STRUCT(ela_send),
	FIELD(ela_send, data),
	FIELD(ela_send, len),
	FIELD(ela_send, segment),
	FIELD(ela_send, path),
	FIELD(ela_send, ecn),
	FIELD(ela_send, reserved8),
	FIELD(ela_send, reserved),
	STRUCT(ela_transport_ops),
	FIELD(ela_transport_ops, create),
	FIELD(ela_transport_ops, destroy),
	FIELD(ela_transport_ops, start),
	FIELD(ela_transport_ops, stop),
	FIELD(ela_transport_ops, info),
	FIELD(ela_transport_ops, lane_fd),
	FIELD(ela_transport_ops, read_burst),
	FIELD(ela_transport_ops, send_burst),
	FIELD(ela_transport_ops, connect),
	FIELD(ela_transport_ops, conn_fd),
	FIELD(ela_transport_ops, conn_attach),
	FIELD(ela_transport_ops, conn_read),
	FIELD(ela_transport_ops, conn_write),
	FIELD(ela_transport_ops, conn_close),
	FIELD(ela_transport_ops, probe),
	STRUCT(ela_routing_ops),
	FIELD(ela_routing_ops, create),
	FIELD(ela_routing_ops, destroy),
	FIELD(ela_routing_ops, start),
	FIELD(ela_routing_ops, stop),
	FIELD(ela_routing_ops, peers_changed),
	FIELD(ela_routing_ops, join),
	FIELD(ela_routing_ops, leave),
	FIELD(ela_routing_ops, insert),
	FIELD(ela_routing_ops, update),
	FIELD(ela_routing_ops, remove),
	FIELD(ela_routing_ops, lookup),
	FIELD(ela_routing_ops, on_message),
	FIELD(ela_routing_ops, on_link),
};

#define N_LINES (sizeof table / sizeof *table)
#define LINE_MAX_LEN 160

static void format_line(const struct line *line, char *ret)
{
	if (strcmp(line->format, "struct") == 0)
		(void)snprintf(ret, LINE_MAX_LEN, "struct %s size %llu align %llu", line->name, line->size, line->offset);
	else if (strcmp(line->format, "field") == 0)
		(void)snprintf(ret, LINE_MAX_LEN, "field %s at %llu size %llu", line->name, line->offset, line->size);
	else if (strcmp(line->format, "const") == 0)
		(void)snprintf(ret, LINE_MAX_LEN, "const %s %llu", line->name, line->size);
	else
		(void)snprintf(ret, LINE_MAX_LEN, "const %s \"%s\"", line->name, line->text);
}

/* The name in a line: its second word. */
static int is_same_name(const char *a, const char *b)
{
	size_t skip = strcspn(a, " ") + 1, len = skip + strcspn(a + skip, " ");

	return strncmp(a, b, len) == 0 && (b[len] == ' ' || b[len] == '\0');
}

static const char remedy[] =
	"The plugin ABI is not what was recorded. Plugins that people have built would break.\n"
	"Never change, move or remove what is there. To extend it: append fields and operations at the end of a table\n"
	"(\"since 0.N\"), use reserved fields, add constants; raise ELA_ABI_MINOR, write the history in plugin.h and a "
	"line in\n"
	"CHANGELOG, and record the new table beside the old one: abi-table > tests/abi/abi-0.N.txt, and its types in "
	"types.c.\n";

/* How many lines differ, each said on stderr. */
static unsigned int compare(FILE *recorded)
{
	char *is_recorded = calloc(N_LINES, 1), was[LINE_MAX_LEN], now[LINE_MAX_LEN];
	unsigned int wrong = 0;

	if (!is_recorded)
		return 1;
	while (fgets(was, sizeof was, recorded)) {
		size_t i = 0;

		was[strcspn(was, "\n")] = '\0';
		for (; i < N_LINES; i++) {
			format_line(&table[i], now);
			if (is_same_name(was, now))
				break;
		}
		if (i == N_LINES) {
			fprintf(stderr, "%s: gone\n", was);
			wrong++;
			continue;
		}
		is_recorded[i] = 1;
		if (strcmp(was, now) != 0) {
			fprintf(stderr, "%s: found %s\n", was, now);
			wrong++;
		}
	}
	for (size_t i = 0; i < N_LINES; i++) {
		if (is_recorded[i])
			continue;
		format_line(&table[i], now);
		fprintf(stderr, "%s: not recorded\n", now);
		wrong++;
	}
	free(is_recorded);
	return wrong;
}

int main(int argc, char **argv)
{
	char line[LINE_MAX_LEN];
	FILE *recorded;
	unsigned int wrong;

	if (argc < 2) {
		for (size_t i = 0; i < N_LINES; i++) {
			format_line(&table[i], line);
			printf("%s\n", line);
		}
		return 0;
	}
	recorded = fopen(argv[1], "r");
	if (!recorded) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	wrong = compare(recorded);
	(void)fclose(recorded); /* read only */
	if (wrong)
		fprintf(stderr, "\n%u lines differ from %s.\n%s", wrong, argv[1], remedy);
	return wrong ? 1 : 0;
}
