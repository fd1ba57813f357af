/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve: GResolver behind a cancellable question and one answer. Control thread. GLib asks getaddrinfo() on a thread
 * of its own, so a slow name server never holds the control loop; a cancelled question lives on until that thread is
 * done, but knows neither resolver nor caller any more.
 */
#include "resolve.h"

#include <gio/gio.h>
#include <stdbool.h>
#include <string.h>

struct ela_lookup {
	struct ela_resolver *resolver; /* NULL once cancelled: the caller may be gone */
	GCancellable *cancel;
	ela_resolve_done done;
	void *data;
	uint16_t port;
};

struct ela_resolver {
	GResolver *glib;
	GHashTable *lookups; /* set of struct ela_lookup *, those that still owe an answer */
};

struct ela_resolver *ela_resolver_new(void)
{
	struct ela_resolver *resolver = g_new0(struct ela_resolver, 1);

	resolver->glib = g_resolver_get_default();
	resolver->lookups = g_hash_table_new(g_direct_hash, g_direct_equal);
	return resolver;
}

/* Leaves the lookup to the callback that GLib still owes. */
static void disown(struct ela_lookup *lookup)
{
	lookup->resolver = NULL;
	g_cancellable_cancel(lookup->cancel);
}

void ela_resolver_free(struct ela_resolver *resolver)
{
	GHashTableIter iter;
	void *lookup;

	if (!resolver)
		return;
	g_hash_table_iter_init(&iter, resolver->lookups);
	while (g_hash_table_iter_next(&iter, &lookup, NULL))
		disown(lookup);
	g_hash_table_unref(resolver->lookups);
	g_object_unref(resolver->glib);
	g_free(resolver);
}

void ela_lookup_cancel(struct ela_lookup *lookup)
{
	if (!lookup)
		return;
	(void)g_hash_table_remove(lookup->resolver->lookups, lookup); /* it is there: it has not answered yet */
	disown(lookup);
}

/* False for a family that no transport of ours dials. */
static bool to_addr(GInetAddress *inet, uint16_t port, struct ela_addr *ret)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *bytes = g_inet_address_to_bytes(inet);
	struct ela_addr addr = {.port = port};

	switch (g_inet_address_get_family(inet)) {
	case G_SOCKET_FAMILY_IPV4:
		addr.family = ELA_ADDR_IP4;
		memcpy(addr.ip, bytes, 4);
		break;
	case G_SOCKET_FAMILY_IPV6:
		addr.family = memcmp(bytes, mapped, sizeof mapped) == 0 ? ELA_ADDR_IP4 : ELA_ADDR_IP6;
		if (addr.family == ELA_ADDR_IP4)
			memcpy(addr.ip, bytes + sizeof mapped, 4);
		else
			memcpy(addr.ip, bytes, 16);
		break;
	default:
		return false;
	}
	*ret = addr;
	return true;
}

/* getaddrinfo() may name an address several times (once a line of /etc/hosts). */
static bool has_addr(const struct ela_addr *addrs, uint32_t n, const struct ela_addr *addr)
{
	for (uint32_t i = 0; i < n; i++)
		if (memcmp(&addrs[i], addr, sizeof *addr) == 0)
			return true;
	return false;
}

static void on_answer(GObject *source, GAsyncResult *result, void *data)
{
	struct ela_lookup *lookup = data;
	struct ela_addr addrs[ELA_RESOLVE_MAX];
	uint32_t n = 0;
	g_autoptr(GError) error = NULL;
	GList *list = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, &error);

	if (lookup->resolver) {
		(void)g_hash_table_remove(lookup->resolver->lookups, lookup); /* it is there until now */
		for (GList *l = list; l && n < ELA_RESOLVE_MAX; l = l->next)
			if (to_addr(l->data, lookup->port, &addrs[n]) && !has_addr(addrs, n, &addrs[n]))
				n++;
		lookup->done(lookup->data, addrs, n, n ? NULL : error ? error->message : "no IPv4 or IPv6 address");
	}
	g_resolver_free_addresses(list);
	g_object_unref(lookup->cancel);
	g_free(lookup);
}

struct ela_lookup *ela_resolver_start(
	struct ela_resolver *resolver, const char *host, uint16_t port, ela_resolve_done done, void *data)
{
	struct ela_lookup *lookup = g_new0(struct ela_lookup, 1);

	lookup->resolver = resolver;
	lookup->cancel = g_cancellable_new();
	lookup->done = done;
	lookup->data = data;
	lookup->port = port;
	(void)g_hash_table_add(resolver->lookups, lookup); /* a new pointer: it was not there */
	g_resolver_lookup_by_name_async(resolver->glib, host, lookup->cancel, on_answer, lookup);
	return lookup;
}
