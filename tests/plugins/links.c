/* SPDX-License-Identifier: Apache-2.0 */
/* links: addresses of the fabric's hosts and how the lines between them behave. Any thread, behind the fabric's lock.
 */
#include "fabric.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

int ela_mem_addr(const char *text, uint16_t port, struct ela_addr *ret)
{
	struct ela_addr addr = {.port = port};

	if (inet_pton(AF_INET, text, addr.ip) == 1)
		addr.family = ELA_ADDR_IP4;
	else if (inet_pton(AF_INET6, text, addr.ip) == 1)
		addr.family = ELA_ADDR_IP6;
	else
		return -EINVAL;
	*ret = addr;
	return 0;
}

struct ela_addr mem_addr_host(const struct ela_addr *addr)
{
	struct ela_addr host = *addr;

	host.port = 0;
	host.scope = 0;
	return host;
}

guint mem_addr_hash(gconstpointer addr)
{
	const uint8_t *bytes = addr;
	guint hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < sizeof(struct ela_addr); i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

gboolean mem_addr_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, sizeof(struct ela_addr)) == 0;
}

guint mem_line_hash(gconstpointer key)
{
	const struct ela_addr *ends = key;

	return mem_addr_hash(&ends[0]) * 31 + mem_addr_hash(&ends[1]);
}

gboolean mem_line_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, 2 * sizeof(struct ela_addr)) == 0;
}

static struct mem_line *find_line(struct ela_mem_fabric *fabric, const struct ela_addr *from, const struct ela_addr *to)
{
	struct ela_addr key[2] = {mem_addr_host(from), mem_addr_host(to)};

	return g_hash_table_lookup(fabric->lines, key);
}

static struct mem_line *get_line(struct ela_mem_fabric *fabric, const struct ela_addr *from, const struct ela_addr *to)
{
	struct mem_line *line = find_line(fabric, from, to);

	if (!line) {
		line = g_new0(struct mem_line, 1);
		line->key[0] = mem_addr_host(from);
		line->key[1] = mem_addr_host(to);
		g_hash_table_insert(fabric->lines, line->key, line);
	}
	return line;
}

static bool is_isolated(struct ela_mem_fabric *fabric, const struct ela_addr *addr)
{
	struct ela_addr host = mem_addr_host(addr);

	return g_hash_table_size(fabric->isolated) > 0 && g_hash_table_contains(fabric->isolated, &host);
}

bool mem_link_find(struct ela_mem_fabric *fabric, const struct ela_addr *from, const struct ela_addr *to,
	const struct ela_mem_link **ret_link, uint64_t **ret_free_ns)
{
	struct mem_line *line = find_line(fabric, from, to);

	if (!line && fabric->fallback.rate_bps)
		line = get_line(fabric, from, to); /* a rate has state of its own for each pair */
	*ret_link = line && line->own ? &line->link : &fabric->fallback;
	*ret_free_ns = line ? &line->free_ns : NULL;
	if ((line && line->cut) || (*ret_link)->down)
		return false;
	return !is_isolated(fabric, from) && !is_isolated(fabric, to);
}

uint64_t mem_link_arrival(struct ela_mem_fabric *fabric, const struct ela_mem_link *link, uint64_t *free_ns,
	uint64_t now_ns, uint32_t len, bool may_lose)
{
	uint64_t at_ns = now_ns;

	if (link->rate_bps) {
		uint64_t start_ns = *free_ns > now_ns ? *free_ns : now_ns;

		if (may_lose && start_ns - now_ns > (link->queue_ns ? link->queue_ns : 100 * MEM_MSEC))
			return 0;
		at_ns = *free_ns = start_ns + (uint64_t)len * 8 * MEM_SEC / link->rate_bps;
	}
	at_ns += link->delay_ns;
	if (link->jitter_ns)
		at_ns += mem_random(fabric, link->jitter_ns + 1);
	return at_ns;
}

void ela_mem_link_default(struct ela_mem_fabric *fabric, const struct ela_mem_link *link)
{
	mem_lock(fabric);
	fabric->fallback = link ? *link : (struct ela_mem_link){0};
	mem_unlock(fabric);
}

int ela_mem_link_set(struct ela_mem_fabric *fabric, const char *from, const char *to, const struct ela_mem_link *link)
{
	struct ela_addr ends[2];
	struct mem_line *line;

	if (ela_mem_addr(from, 0, &ends[0]) || ela_mem_addr(to, 0, &ends[1]))
		return -EINVAL;
	mem_lock(fabric);
	line = get_line(fabric, &ends[0], &ends[1]);
	line->own = link != NULL;
	line->link = link ? *link : (struct ela_mem_link){0};
	mem_unlock(fabric);
	return 0;
}

int ela_mem_partition(struct ela_mem_fabric *fabric, const char *a, const char *b, bool cut)
{
	struct ela_addr ends[2];

	if (ela_mem_addr(a, 0, &ends[0]) || ela_mem_addr(b, 0, &ends[1]))
		return -EINVAL;
	mem_lock(fabric);
	get_line(fabric, &ends[0], &ends[1])->cut = cut;
	get_line(fabric, &ends[1], &ends[0])->cut = cut;
	mem_unlock(fabric);
	return 0;
}

int ela_mem_isolate(struct ela_mem_fabric *fabric, const char *host, bool cut)
{
	struct ela_addr addr;

	if (ela_mem_addr(host, 0, &addr))
		return -EINVAL;
	mem_lock(fabric);
	if (cut)
		(void)g_hash_table_add(fabric->isolated, g_memdup2(&addr, sizeof addr)); /* false: it was cut already */
	else
		(void)g_hash_table_remove(fabric->isolated, &addr); /* false: it was not cut */
	mem_unlock(fabric);
	return 0;
}
