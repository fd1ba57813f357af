/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader-ops: takes a plugin's table of operations: size, required entries, defaults for absent optional ones, a
 * cipher's suites. Control thread; the defaults run where the operation does.
 */
#include "loader-priv.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define SUITE_NAME_MAX 32u
#define MAX_SUITES 16u
#define MAX_KNOWN 64u
#define MAX_KNOWN_LEN 65536u

/* An operation by its place in the table: every entry of a table is a pointer. */
struct op {
	const char *name;
	size_t offset;
};

#define OP(kind, member)                                                                                               \
	{                                                                                                                  \
#member, offsetof(struct ela_##kind##_ops, member)                                                             \
	}

static const struct op npd_required[] = {OP(npd, create), OP(npd, destroy), OP(npd, open), OP(npd, close),
	OP(npd, queue_fd), OP(npd, read_burst), OP(npd, write_burst), OP(npd, caps), {NULL, 0}};
static const struct op cipher_required[] = {OP(cipher, create), OP(cipher, destroy), OP(cipher, key_new),
	OP(cipher, key_free), OP(cipher, seal), OP(cipher, open), {NULL, 0}};
static const struct op transport_required[] = {OP(transport, create), OP(transport, destroy), OP(transport, start),
	OP(transport, stop), OP(transport, info), {NULL, 0}};
static const struct op transport_datagram[] = {
	OP(transport, lane_fd), OP(transport, read_burst), OP(transport, send_burst), {NULL, 0}};
static const struct op transport_stream[] = {OP(transport, connect), OP(transport, conn_fd), OP(transport, conn_attach),
	OP(transport, conn_read), OP(transport, conn_write), OP(transport, conn_close), {NULL, 0}};
static const struct op routing_required[] = {OP(routing, create), OP(routing, destroy), OP(routing, start),
	OP(routing, stop), OP(routing, peers_changed), OP(routing, insert), OP(routing, update), OP(routing, remove),
	OP(routing, lookup), {NULL, 0}};

static bool has_op(const void *table, const struct op *op)
{
	void *entry;

	memcpy(&entry, (const uint8_t *)table + op->offset, sizeof entry);
	return entry != NULL;
}

static const char *first_absent(const void *table, const struct op *ops)
{
	for (; ops->name != NULL; ops++) {
		if (!has_op(table, ops))
			return ops->name;
	}
	return NULL;
}

static bool has_any(const void *table, const struct op *ops)
{
	for (; ops->name != NULL; ops++) {
		if (has_op(table, ops))
			return true;
	}
	return false;
}

/* Copies what both sides know of the table; own is zeroed. */
static bool take(
	const struct ela_plugin *d, void *own, size_t own_size, const struct op *required, const char *file, GError **error)
{
	const char *absent;
	size_t least = 0;

	for (const struct op *op = required; op->name != NULL; op++)
		least = MAX(least, op->offset + sizeof(void *));
	if (d->ops_size < least || d->ops_size % sizeof(void *) != 0) {
		g_autofree char *wanted = g_strdup_printf("at least %zu, a multiple of %zu", least, sizeof(void *));

		return ela_loader_refuse(error, file, "size of the operations", wanted, "%u bytes", d->ops_size);
	}
	memcpy(own, d->ops, MIN(d->ops_size, own_size));
	absent = first_absent(own, required);
	if (absent != NULL)
		return ela_loader_refuse(error, file, absent, "a function (it is required)", "NULL");
	return true;
}

static bool check_group(const char *file, const void *table, const struct op *group, const char *name, GError **error)
{
	const char *absent = first_absent(table, group);

	if (absent == NULL || !has_any(table, group))
		return true;
	return ela_loader_refuse(error, file, absent, "all or none of a transport's operations of its kind",
		"NULL among the %s operations", name);
}

static int absent_set_mtu(void *self, uint32_t mtu)
{
	(void)self;
	(void)mtu;
	return -EOPNOTSUPP;
}

static int absent_set_addresses(void *self, const char *const *addresses, uint32_t n)
{
	(void)self;
	(void)addresses;
	(void)n;
	return -EOPNOTSUPP;
}

static int absent_ring(void *self)
{
	(void)self;
	return 0;
}

static void absent_on_message(void *self, uint32_t peer, const void *bytes, uint32_t len)
{
	(void)self;
	(void)peer;
	(void)bytes;
	(void)len;
}

static void absent_on_link(void *self, uint32_t peer, uint32_t event)
{
	(void)self;
	(void)peer;
	(void)event;
}

static int absent_lane_fd(void *self, uint32_t lane, uint32_t k)
{
	(void)self;
	(void)lane;
	(void)k;
	return -ENOENT;
}

static int absent_read_burst(void *self, uint32_t lane, struct ela_train *trains, uint32_t n, int *ret_err)
{
	(void)self;
	(void)lane;
	(void)trains;
	(void)n;
	*ret_err = -EOPNOTSUPP;
	return 0;
}

static int absent_send_burst(void *self, uint32_t lane, const struct ela_send *sends, uint32_t n, int *ret_err)
{
	(void)self;
	(void)lane;
	(void)sends;
	(void)n;
	*ret_err = -EOPNOTSUPP;
	return 0;
}

static int absent_connect(void *self, const struct ela_addr *remote, void **ret_conn)
{
	(void)self;
	(void)remote;
	(void)ret_conn;
	return -EOPNOTSUPP;
}

static int absent_conn_fd(void *self, void *conn)
{
	(void)self;
	(void)conn;
	return -1;
}

static int absent_conn_attach(void *self, void *conn, uint32_t lane)
{
	(void)self;
	(void)conn;
	(void)lane;
	return -EOPNOTSUPP;
}

static int absent_conn_read(void *self, void *conn, void *buf, uint32_t len, int *ret_err)
{
	(void)self;
	(void)conn;
	(void)buf;
	(void)len;
	*ret_err = -EOPNOTSUPP;
	return 0;
}

static int absent_conn_write(void *self, void *conn, const struct iovec *iov, uint32_t n, int *ret_err)
{
	(void)self;
	(void)conn;
	(void)iov;
	(void)n;
	*ret_err = -EOPNOTSUPP;
	return 0;
}

static void absent_conn_close(void *self, void *conn)
{
	(void)self;
	(void)conn;
}

static int absent_probe(void *self, const struct ela_addr *remote, const void *bytes, uint32_t len)
{
	(void)self;
	(void)remote;
	(void)bytes;
	(void)len;
	return -EOPNOTSUPP;
}

static void fill_transport(struct ela_transport_ops *ops)
{
	if (ops->lane_fd == NULL) {
		ops->lane_fd = absent_lane_fd;
		ops->read_burst = absent_read_burst;
		ops->send_burst = absent_send_burst;
	}
	if (ops->connect == NULL) {
		ops->connect = absent_connect;
		ops->conn_fd = absent_conn_fd;
		ops->conn_attach = absent_conn_attach;
		ops->conn_read = absent_conn_read;
		ops->conn_write = absent_conn_write;
		ops->conn_close = absent_conn_close;
	}
	if (ops->probe == NULL)
		ops->probe = absent_probe;
}

static bool take_transport(struct ela_loaded *loaded, const char *file, GError **error)
{
	struct ela_transport_ops *ops = &loaded->transport;

	if (!take(loaded->descriptor, ops, sizeof *ops, transport_required, file, error) ||
		!check_group(file, ops, transport_datagram, "datagram", error) ||
		!check_group(file, ops, transport_stream, "stream", error))
		return false;
	if (ops->lane_fd == NULL && ops->connect == NULL)
		return ela_loader_refuse(error, file, "operations", "those of datagrams, of streams or both", "neither");
	fill_transport(ops);
	return true;
}

static bool take_routing(struct ela_loaded *loaded, const char *file, GError **error)
{
	struct ela_routing_ops *ops = &loaded->routing;

	if (!take(loaded->descriptor, ops, sizeof *ops, routing_required, file, error))
		return false;
	loaded->has_ring = ops->join != NULL;
	ops->join = ops->join != NULL ? ops->join : absent_ring;
	ops->leave = ops->leave != NULL ? ops->leave : absent_ring;
	ops->on_message = ops->on_message != NULL ? ops->on_message : absent_on_message;
	ops->on_link = ops->on_link != NULL ? ops->on_link : absent_on_link;
	return true;
}

bool ela_loader_take_ops(struct ela_loaded *loaded, const char *file, GError **error)
{
	const struct ela_plugin *d = loaded->descriptor;

	switch (d->kind) {
	case ELA_KIND_NPD:
		if (!take(d, &loaded->npd, sizeof loaded->npd, npd_required, file, error))
			return false;
		if (loaded->npd.set_mtu == NULL)
			loaded->npd.set_mtu = absent_set_mtu;
		if (loaded->npd.set_addresses == NULL)
			loaded->npd.set_addresses = absent_set_addresses;
		return true;
	case ELA_KIND_CIPHER:
		return take(d, &loaded->cipher, sizeof loaded->cipher, cipher_required, file, error) &&
			   ela_loader_check_suites(file, &loaded->cipher, error);
	case ELA_KIND_TRANSPORT:
		return take_transport(loaded, file, error);
	default: /* the kind was checked */
		return take_routing(loaded, file, error);
	}
}

static bool check_known(const char *file, const struct ela_suite *suite, GError **error)
{
	if (suite->known == NULL || suite->n_known == 0 || suite->n_known > MAX_KNOWN)
		return ela_loader_refuse(
			error, file, suite->name, "1..64 known answers", "%u at %p", suite->n_known, (const void *)suite->known);
	for (uint32_t i = 0; i < suite->n_known; i++) {
		const struct ela_known_answer *known = &suite->known[i];

		if (known->key == NULL || known->nonce == NULL || known->sealed == NULL ||
			(known->plain == NULL && known->plain_len > 0))
			return ela_loader_refuse(
				error, file, suite->name, "key, nonce, plain and sealed bytes", "NULL in known answer %u", i);
		if (known->plain_len > MAX_KNOWN_LEN || known->sealed_len <= known->plain_len ||
			known->sealed_len > known->plain_len + suite->overhead)
			return ela_loader_refuse(error, file, suite->name, "plain_len < sealed_len <= plain_len + overhead",
				"%u and %u bytes in known answer %u", known->plain_len, known->sealed_len, i);
	}
	return true;
}

static bool check_suite(const char *file, const struct ela_suite *suite, uint32_t number, GError **error)
{
	if (!ela_loader_is_name(suite->name, SUITE_NAME_MAX)) {
		g_autofree char *what = g_strdup_printf("name of suite %u", number);

		return ela_loader_refuse(error, file, what, "1..32 of a-z 0-9 -", "another name");
	}
	if (suite->key_len < 16 || suite->key_len > ELA_CIPHER_MAX_KEY)
		return ela_loader_refuse(error, file, suite->name, "a key of 16..64 bytes", "%u", suite->key_len);
	if (suite->overhead < 16 || suite->overhead > ELA_CIPHER_MAX_OVERHEAD)
		return ela_loader_refuse(error, file, suite->name, "an overhead of 16..64 bytes", "%u", suite->overhead);
	if ((suite->flags & ~ELA_SUITE_WEAK) != 0 || suite->is_random > 1)
		return ela_loader_refuse(error, file, suite->name, "flag WEAK only, is_random 0 or 1", "0x%x and %u",
			suite->flags, suite->is_random);
	if (suite->max_bytes != 0 && suite->rekey_bytes > suite->max_bytes)
		return ela_loader_refuse(error, file, suite->name, "rekey_bytes <= max_bytes",
			"%" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT, suite->rekey_bytes, suite->max_bytes);
	return check_known(file, suite, error);
}

bool ela_loader_check_suites(const char *file, const struct ela_cipher_ops *ops, GError **error)
{
	const uint8_t *table = (const uint8_t *)ops->suites;

	if (table == NULL || ops->n_suites == 0 || ops->n_suites > MAX_SUITES)
		return ela_loader_refuse(
			error, file, "suites", "a table of 1..16", "%s with n_suites %u", table ? "one" : "NULL", ops->n_suites);
	if (ops->suite_size < sizeof(struct ela_suite) || ops->suite_size % 8 != 0)
		return ela_loader_refuse(
			error, file, "suite size", "at least 80, a multiple of 8", "%u bytes", ops->suite_size);
	for (uint32_t i = 0; i < ops->n_suites; i++) {
		const struct ela_suite *suite = (const void *)(table + (size_t)i * ops->suite_size);

		if (!check_suite(file, suite, i, error))
			return false;
		for (uint32_t k = 0; k < i; k++) {
			const struct ela_suite *other = (const void *)(table + (size_t)k * ops->suite_size);

			if (strcmp(other->name, suite->name) == 0)
				return ela_loader_refuse(error, file, "suites", "each name once", "%s twice", suite->name);
		}
	}
	return true;
}
