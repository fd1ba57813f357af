/* SPDX-License-Identifier: Apache-2.0 */
/* own: see own.h. Control thread. */
#include "own.h"

#include "crypto.h"
#include "inet.h"

#include <errno.h>

static int make(
	const struct ela_node *node, const struct ela_prefix *ip4, const struct ela_prefix *ip6, struct ela_own *ret)
{
	struct ela_prefix network, broadcast;

	*ret = (struct ela_own){0};
	if (!ip4 || ip4->addr.family == ELA_ADDR_NONE)
		return ip6 && ip6->addr.family != ELA_ADDR_NONE ? -EINVAL : 0;
	if (ip4->addr.family != ELA_ADDR_IP4 || ela_node_id(node->network_id, ip4->addr.ip, &ret->id) != 0)
		return -EINVAL;
	network = broadcast = *ip4;
	ela_inet_prefix_mask(&network);
	ela_inet_prefix_fill(&broadcast);
	if (memcmp(ip4->addr.ip, network.addr.ip, 4) == 0 || memcmp(ip4->addr.ip, broadcast.addr.ip, 4) == 0)
		return -EINVAL;
	ret->ip4 = *ip4;
	memcpy(ret->broadcast4, broadcast.addr.ip, sizeof ret->broadcast4);
	if (ip6 && ip6->addr.family != ELA_ADDR_NONE) {
		if (ip6->addr.family != ELA_ADDR_IP6)
			return -EINVAL;
		ret->ip6 = *ip6;
	}
	return 0;
}

char **ela_own_texts(const struct ela_own *own)
{
	g_autoptr(GStrvBuilder) texts = g_strv_builder_new();
	char text[ELA_INET_TEXT];

	if (own->ip4.addr.family != ELA_ADDR_NONE) {
		ela_inet_prefix_text(&own->ip4, text);
		g_strv_builder_add(texts, text);
	}
	if (own->ip6.addr.family != ELA_ADDR_NONE) {
		ela_inet_prefix_text(&own->ip6, text);
		g_strv_builder_add(texts, text);
	}
	return g_strv_builder_end(texts);
}

static int set_on_device(struct ela_node *node, const struct ela_own *own)
{
	g_auto(GStrv) texts = NULL;

	if (!node->devices_open)
		return 0; /* opening it sets them */
	texts = ela_own_texts(own);
	return node->npd->loaded->npd.set_addresses(node->npd->self, (const char *const *)texts, g_strv_length(texts));
}

int ela_own_take(struct ela_node *node, const struct ela_prefix *ip4, const struct ela_prefix *ip6)
{
	struct ela_own *old = atomic_load(&node->own), *fresh = g_new(struct ela_own, 1);
	int err = make(node, ip4, ip6, fresh);

	if (err == 0)
		err = set_on_device(node, fresh);
	if (err != 0) {
		g_free(fresh);
		return err;
	}
	atomic_store_explicit(&node->own, fresh, memory_order_release);
	if (old)
		ela_qsbr_retire(&node->qsbr, g_free, old);
	return 0;
}

void ela_own_free(struct ela_node *node)
{
	g_free(atomic_load(&node->own));
	atomic_store(&node->own, NULL);
}
