/* SPDX-License-Identifier: Apache-2.0 */
/*
 * types: the type of every field and every operation, held against the headers by the compiler. A line is never changed
 * but when a reserved field gets its name (renames.txt); what a later version appends gets lines of its own.
 */
#include <ela/ela.h>

#define TYPE(name, field, ...)                                                                                         \
	_Static_assert(__builtin_types_compatible_p(__typeof__(((struct name *)0)->field), __VA_ARGS__),                   \
		"the type of " #name "." #field " changed: append a new field instead")

TYPE(ela_option, key, const char *);
TYPE(ela_option, def, const char *);
TYPE(ela_option, choices, const char *);
TYPE(ela_option, unit, const char *);
TYPE(ela_option, help, const char *);
TYPE(ela_option, min, int64_t);
TYPE(ela_option, max, int64_t);
TYPE(ela_option, type, uint32_t);
TYPE(ela_option, flags, uint32_t);
TYPE(ela_option, reserved, uint64_t);

TYPE(ela_value, num, int64_t);
TYPE(ela_value, str, const char *);

TYPE(ela_plugin, magic, uint32_t);
TYPE(ela_plugin, abi_major, uint16_t);
TYPE(ela_plugin, abi_minor, uint16_t);
TYPE(ela_plugin, kind, uint32_t);
TYPE(ela_plugin, ops_size, uint32_t);
TYPE(ela_plugin, name, const char *);
TYPE(ela_plugin, version, const char *);
TYPE(ela_plugin, licence, const char *);
TYPE(ela_plugin, summary, const char *);
TYPE(ela_plugin, ops, const void *);
TYPE(ela_plugin, options, const struct ela_option *);
TYPE(ela_plugin, n_options, uint32_t);
TYPE(ela_plugin, option_size, uint32_t);
TYPE(ela_plugin, counters, const char *const *);
TYPE(ela_plugin, n_counters, uint32_t);
TYPE(ela_plugin, reserved32, uint32_t);
TYPE(ela_plugin, reserved, uint64_t);

TYPE(ela_addr, ip, uint8_t[16]);
TYPE(ela_addr, scope, uint32_t);
TYPE(ela_addr, port, uint16_t);
TYPE(ela_addr, family, uint16_t);

TYPE(ela_path, remote, struct ela_addr);
TYPE(ela_path, local, struct ela_addr);
TYPE(ela_path, transport, uint32_t);
TYPE(ela_path, reserved, uint32_t);
TYPE(ela_path, link, uint64_t);

TYPE(ela_packet, data, uint8_t *);
TYPE(ela_packet, len, uint32_t);
TYPE(ela_packet, gso_size, uint16_t);
TYPE(ela_packet, gso_type, uint8_t);
TYPE(ela_packet, flags, uint8_t);
TYPE(ela_packet, csum_start, uint16_t);
TYPE(ela_packet, csum_offset, uint16_t);
TYPE(ela_packet, hdr_len, uint16_t);
TYPE(ela_packet, reserved16, uint16_t);
TYPE(ela_packet, len_total, uint32_t);
TYPE(ela_packet, n_more, uint32_t);
TYPE(ela_packet, more, const struct iovec *);
TYPE(ela_packet, reserved, uint64_t[3]);

TYPE(ela_peer_info, peer, uint32_t);
TYPE(ela_peer_info, id, uint32_t);
TYPE(ela_peer_info, name, const char *);
TYPE(ela_peer_info, prefixes, const char *const *);
TYPE(ela_peer_info, n_prefixes, uint32_t);
TYPE(ela_peer_info, flags, uint32_t); /* reserved32 in 0.1 */
TYPE(ela_peer_info, reserved, uint64_t[3]);

TYPE(ela_host, size, uint32_t);
TYPE(ela_host, n_lanes, uint32_t);
TYPE(ela_host, log, void (*)(const struct ela_host *host, uint32_t level, const char *text));
TYPE(ela_host, option, int (*)(const struct ela_host *host, const char *key, uint32_t index, struct ela_value *ret));
TYPE(ela_host, now_ns, uint64_t (*)(const struct ela_host *host));
TYPE(ela_host, random, void (*)(const struct ela_host *host, void *buf, uint32_t len));
TYPE(ela_host, timer_new, struct ela_timer *(*)(const struct ela_host *host, void (*fn)(void *data), void *data));
TYPE(ela_host, timer_set, void (*)(struct ela_timer *timer, uint64_t at_ns));
TYPE(ela_host, timer_free, void (*)(struct ela_timer *timer));
TYPE(ela_host, watch_new,
	struct ela_watch *(*)(const struct ela_host *host, int fd, uint32_t events, void (*fn)(void *data, uint32_t events),
		void *data));
TYPE(ela_host, watch_set, void (*)(struct ela_watch *watch, uint32_t events));
TYPE(ela_host, watch_free, void (*)(struct ela_watch *watch));
TYPE(ela_host, counters, uint64_t *(*)(const struct ela_host *host, uint32_t lane));
TYPE(ela_host, post, int (*)(const struct ela_host *host, void (*fn)(void *data), void *data));
TYPE(ela_host, conn_event,
	void (*)(const struct ela_host *host, uint32_t event, void *conn, const struct ela_addr *remote,
		const struct ela_addr *local, int err));
TYPE(ela_host, route_set, int (*)(const struct ela_host *host, const char *prefix, uint32_t peer));
TYPE(ela_host, route_del, int (*)(const struct ela_host *host, const char *prefix));
TYPE(ela_host, peer_next, int (*)(const struct ela_host *host, uint32_t cursor, struct ela_peer_info *ret));
TYPE(ela_host, message_send, int (*)(const struct ela_host *host, uint32_t peer, const void *bytes, uint32_t len));
TYPE(ela_host, priv, void *);

TYPE(ela_npd_config, addresses, const char *const *);
TYPE(ela_npd_config, n_addresses, uint32_t);
TYPE(ela_npd_config, n_queues, uint32_t);
TYPE(ela_npd_config, mtu, uint32_t);
TYPE(ela_npd_config, gso_max_segs, uint32_t);
TYPE(ela_npd_config, routes, const char *const *);
TYPE(ela_npd_config, n_routes, uint32_t);
TYPE(ela_npd_config, reserved32, uint32_t);
TYPE(ela_npd_config, reserved, uint64_t[2]);

TYPE(ela_npd_info, name, char[32]);
TYPE(ela_npd_info, n_queues, uint32_t);
TYPE(ela_npd_info, caps, uint32_t);
TYPE(ela_npd_info, mtu, uint32_t);
TYPE(ela_npd_info, reserved32, uint32_t);
TYPE(ela_npd_info, reserved, uint64_t[2]);

TYPE(ela_npd_ops, create, int (*)(const struct ela_host *host, void **ret_self));
TYPE(ela_npd_ops, destroy, void (*)(void *self));
TYPE(ela_npd_ops, open, int (*)(void *self, const struct ela_npd_config *config, struct ela_npd_info *ret_info));
TYPE(ela_npd_ops, close, void (*)(void *self));
TYPE(ela_npd_ops, queue_fd, int (*)(void *self, uint32_t queue));
TYPE(ela_npd_ops, read_burst,
	int (*)(void *self, uint32_t queue, uint8_t *arena, uint32_t arena_len, uint32_t headroom, struct ela_packet *pkts,
		uint32_t n, int *ret_err));
TYPE(ela_npd_ops, write_burst,
	int (*)(void *self, uint32_t queue, const struct ela_packet *pkts, uint32_t n, int *ret_err));
TYPE(ela_npd_ops, set_mtu, int (*)(void *self, uint32_t mtu));
TYPE(ela_npd_ops, caps, uint32_t (*)(void *self));

TYPE(ela_known_answer, key, const uint8_t *);
TYPE(ela_known_answer, nonce, const uint8_t *);
TYPE(ela_known_answer, plain, const uint8_t *);
TYPE(ela_known_answer, sealed, const uint8_t *);
TYPE(ela_known_answer, plain_len, uint32_t);
TYPE(ela_known_answer, sealed_len, uint32_t);
TYPE(ela_known_answer, reserved, uint64_t[2]);

TYPE(ela_suite, name, const char *);
TYPE(ela_suite, key_len, uint32_t);
TYPE(ela_suite, overhead, uint32_t);
TYPE(ela_suite, flags, uint32_t);
TYPE(ela_suite, is_random, uint32_t);
TYPE(ela_suite, rekey_bytes, uint64_t);
TYPE(ela_suite, max_bytes, uint64_t);
TYPE(ela_suite, known, const struct ela_known_answer *);
TYPE(ela_suite, n_known, uint32_t);
TYPE(ela_suite, reserved32, uint32_t);
TYPE(ela_suite, reserved, uint64_t[3]);

TYPE(ela_cipher_op, src, const uint8_t *);
TYPE(ela_cipher_op, dst, uint8_t *);
TYPE(ela_cipher_op, len, uint32_t);
TYPE(ela_cipher_op, ret_len, uint32_t);
TYPE(ela_cipher_op, verdict, int32_t);
TYPE(ela_cipher_op, nonce, uint8_t[12]);
TYPE(ela_cipher_op, reserved, uint64_t[3]);

TYPE(ela_cipher_ops, suites, const struct ela_suite *);
TYPE(ela_cipher_ops, n_suites, uint32_t);
TYPE(ela_cipher_ops, suite_size, uint32_t);
TYPE(ela_cipher_ops, create, int (*)(const struct ela_host *host, void **ret_self));
TYPE(ela_cipher_ops, destroy, void (*)(void *self));
TYPE(ela_cipher_ops, key_new,
	int (*)(void *self, uint32_t suite, uint32_t direction, const uint8_t *key, void **ret_key));
TYPE(ela_cipher_ops, key_free, void (*)(void *key));
TYPE(ela_cipher_ops, seal, uint32_t (*)(void *key, struct ela_cipher_op *ops, uint32_t n));
TYPE(ela_cipher_ops, open, uint32_t (*)(void *key, struct ela_cipher_op *ops, uint32_t n));

TYPE(ela_transport_info, caps, uint32_t);
TYPE(ela_transport_info, overhead4, uint32_t);
TYPE(ela_transport_info, overhead6, uint32_t);
TYPE(ela_transport_info, max_datagram, uint32_t);
TYPE(ela_transport_info, max_segments, uint32_t);
TYPE(ela_transport_info, max_train, uint32_t);
TYPE(ela_transport_info, burst, uint32_t);
TYPE(ela_transport_info, port, uint16_t);
TYPE(ela_transport_info, reserved16, uint16_t);
TYPE(ela_transport_info, reserved, uint64_t[4]);

TYPE(ela_train, data, uint8_t *);
TYPE(ela_train, room, uint32_t);
TYPE(ela_train, len, uint32_t);
TYPE(ela_train, segment, uint32_t);
TYPE(ela_train, flags, uint32_t);
TYPE(ela_train, remote, struct ela_addr);
TYPE(ela_train, local, struct ela_addr);
TYPE(ela_train, ecn, uint8_t);
TYPE(ela_train, reserved8, uint8_t[7]);
TYPE(ela_train, reserved, uint64_t[2]);

TYPE(ela_send, data, const uint8_t *);
TYPE(ela_send, len, uint32_t);
TYPE(ela_send, segment, uint32_t);
TYPE(ela_send, path, const struct ela_path *);
TYPE(ela_send, ecn, uint8_t);
TYPE(ela_send, reserved8, uint8_t[7]);
TYPE(ela_send, reserved, uint64_t[4]);

TYPE(ela_transport_ops, create, int (*)(const struct ela_host *host, void **ret_self));
TYPE(ela_transport_ops, destroy, void (*)(void *self));
TYPE(ela_transport_ops, start, int (*)(void *self, uint32_t n_lanes));
TYPE(ela_transport_ops, stop, void (*)(void *self));
TYPE(ela_transport_ops, info, void (*)(void *self, struct ela_transport_info *ret));
TYPE(ela_transport_ops, lane_fd, int (*)(void *self, uint32_t lane, uint32_t k));
TYPE(ela_transport_ops, read_burst,
	int (*)(void *self, uint32_t lane, struct ela_train *trains, uint32_t n, int *ret_err));
TYPE(ela_transport_ops, send_burst,
	int (*)(void *self, uint32_t lane, const struct ela_send *sends, uint32_t n, int *ret_err));
TYPE(ela_transport_ops, connect, int (*)(void *self, const struct ela_addr *remote, void **ret_conn));
TYPE(ela_transport_ops, conn_fd, int (*)(void *self, void *conn));
TYPE(ela_transport_ops, conn_attach, int (*)(void *self, void *conn, uint32_t lane));
TYPE(ela_transport_ops, conn_read, int (*)(void *self, void *conn, void *buf, uint32_t len, int *ret_err));
TYPE(ela_transport_ops, conn_write, int (*)(void *self, void *conn, const struct iovec *iov, uint32_t n, int *ret_err));
TYPE(ela_transport_ops, conn_close, void (*)(void *self, void *conn));

TYPE(ela_routing_ops, create, int (*)(const struct ela_host *host, void **ret_self));
TYPE(ela_routing_ops, destroy, void (*)(void *self));
TYPE(ela_routing_ops, start, int (*)(void *self));
TYPE(ela_routing_ops, stop, void (*)(void *self));
TYPE(ela_routing_ops, peers_changed, void (*)(void *self));
TYPE(ela_routing_ops, join, int (*)(void *self));
TYPE(ela_routing_ops, leave, int (*)(void *self));
TYPE(ela_routing_ops, insert, int (*)(void *self, uint32_t id, const void *record, uint32_t len));
TYPE(ela_routing_ops, update, int (*)(void *self, uint32_t id, const void *record, uint32_t len));
TYPE(ela_routing_ops, remove, int (*)(void *self, uint32_t id));
TYPE(ela_routing_ops, lookup, void (*)(void *self, uint32_t id, ela_lookup_done done, void *data));
TYPE(ela_routing_ops, on_message, void (*)(void *self, uint32_t peer, const void *bytes, uint32_t len));
TYPE(ela_routing_ops, on_link, void (*)(void *self, uint32_t peer, uint32_t event));

/* since 0.2 */

TYPE(ela_record_info, id, uint32_t);
TYPE(ela_record_info, role, uint32_t);
TYPE(ela_record_info, parent, uint32_t);
TYPE(ela_record_info, flags, uint32_t);
TYPE(ela_record_info, incarnation, uint64_t);
TYPE(ela_record_info, sequence, uint64_t);
TYPE(ela_record_info, key_hash, uint8_t[32]);
TYPE(ela_record_info, reserved, uint64_t[2]);

TYPE(ela_host, own_id, uint32_t (*)(const struct ela_host *host));
TYPE(ela_host, record_check,
	int (*)(const struct ela_host *host, const void *record, uint32_t len, struct ela_record_info *ret));
TYPE(ela_host, record_compare,
	int (*)(const struct ela_host *host, const void *a, uint32_t a_len, const void *b, uint32_t b_len));
TYPE(ela_host, record_set,
	int (*)(const struct ela_host *host, uint32_t id, const void *record, uint32_t len, uint32_t via));
TYPE(ela_host, record_del, int (*)(const struct ela_host *host, uint32_t id));
TYPE(ela_host, ring_set, int (*)(const struct ela_host *host, const uint32_t *ids, uint32_t n));

TYPE(ela_npd_ops, set_addresses, int (*)(void *self, const char *const *addresses, uint32_t n));

/* since 0.3 */

TYPE(ela_transport_ops, probe, int (*)(void *self, const struct ela_addr *remote, const void *bytes, uint32_t len));
