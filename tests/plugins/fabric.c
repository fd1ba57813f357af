/* SPDX-License-Identifier: Apache-2.0 */
/* fabric: the registry of fabrics by name, their buffers, queues and hooks. Any thread, behind the fabric's lock. */
#include "fabric.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * The one piece of state of the process: which fabrics there are. A plugin's create() can reach a test's objects by
 * name only (see mem.h). In an .so each copy of this file has a registry of its own.
 */
static struct {
	pthread_mutex_t lock;
	struct ela_mem_fabric *first;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const uint32_t class_room[MEM_CLASSES] = {512, 4096, MEM_MAX_PACKET + 1};

void mem_lock(struct ela_mem_fabric *fabric)
{
	(void)pthread_mutex_lock(&fabric->lock); /* a plain mutex that this thread does not hold cannot fail */
}

void mem_unlock(struct ela_mem_fabric *fabric)
{
	(void)pthread_mutex_unlock(&fabric->lock); /* held, see above */
}

static void registry_lock(void)
{
	(void)pthread_mutex_lock(&registry.lock); /* as mem_lock() */
}

static void registry_unlock(void)
{
	(void)pthread_mutex_unlock(&registry.lock);
}

static struct ela_mem_fabric *find(const char *name)
{
	struct ela_mem_fabric *fabric = registry.first;

	while (fabric && strcmp(fabric->name, name) != 0)
		fabric = fabric->next;
	return fabric;
}

static struct ela_mem_fabric *make(const char *name, uint64_t seed, uint32_t flags)
{
	struct ela_mem_fabric *fabric = calloc(1, sizeof *fabric);

	if (!fabric)
		return NULL;
	if (pthread_mutex_init(&fabric->lock, NULL) != 0) {
		free(fabric);
		return NULL;
	}
	memcpy(fabric->name, name, strlen(name));
	fabric->flags = flags;
	fabric->random = seed;
	fabric->next_port = 32768;
	fabric->endpoints = g_hash_table_new(mem_addr_hash, mem_addr_equal);
	fabric->lines = g_hash_table_new_full(mem_line_hash, mem_line_equal, NULL, g_free);
	fabric->isolated = g_hash_table_new_full(mem_addr_hash, mem_addr_equal, g_free, NULL);
	fabric->devices = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, mem_device_free);
	fabric->next = registry.first;
	registry.first = fabric;
	return fabric;
}

static void unmake(struct ela_mem_fabric *fabric)
{
	struct ela_mem_fabric **link = &registry.first;

	while (*link != fabric)
		link = &(*link)->next;
	*link = fabric->next;
	g_hash_table_destroy(fabric->devices);
	g_hash_table_destroy(fabric->endpoints);
	g_hash_table_destroy(fabric->lines);
	g_hash_table_destroy(fabric->isolated);
	g_slist_free_full(fabric->zombies, free);
	for (uint32_t i = 0; i < MEM_CLASSES; i++) {
		while (fabric->spare[i]) {
			struct mem_buf *buf = fabric->spare[i];

			fabric->spare[i] = buf->next;
			free(buf);
		}
	}
	(void)pthread_mutex_destroy(&fabric->lock); /* nobody holds it: the fabric's users are gone */
	free(fabric);
}

struct ela_mem_fabric *ela_mem_fabric_new(const char *name, uint64_t seed, uint32_t flags)
{
	struct ela_mem_fabric *fabric = NULL;

	if (!*name || strlen(name) > MEM_NAME_MAX)
		return NULL;
	registry_lock();
	if (!find(name))
		fabric = make(name, seed, flags);
	registry_unlock();
	return fabric;
}

void ela_mem_fabric_free(struct ela_mem_fabric *fabric)
{
	if (!fabric)
		return;
	registry_lock();
	unmake(fabric);
	registry_unlock();
}

struct ela_mem_fabric *mem_fabric_use(const char *name)
{
	struct ela_mem_fabric *fabric;

	registry_lock();
	fabric = find(name);
	if (!fabric) {
		fabric = make(name, 1, 0);
		if (fabric)
			fabric->self_made = true;
	}
	if (fabric)
		fabric->users++;
	registry_unlock();
	return fabric;
}

void mem_fabric_release(struct ela_mem_fabric *fabric)
{
	registry_lock();
	/* With a posted call still to come back it stays until the process ends: nobody says when the loop is gone. */
	if (--fabric->users == 0 && fabric->self_made && !fabric->zombies)
		unmake(fabric);
	registry_unlock();
}

uint16_t mem_port_new(struct ela_mem_fabric *fabric)
{
	uint16_t port = fabric->next_port++;

	if (fabric->next_port < 32768)
		fabric->next_port = 32768;
	return port;
}

/* splitmix64: small, seeded, the same everywhere. */
uint64_t mem_random(struct ela_mem_fabric *fabric, uint64_t below)
{
	uint64_t z = fabric->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return below ? z % below : 0; /* the bias is below one in 2^40 for every use here */
}

bool mem_chance(struct ela_mem_fabric *fabric, uint32_t ppm)
{
	return ppm && mem_random(fabric, 1000000) < ppm;
}

struct mem_buf *mem_buf_new(struct ela_mem_fabric *fabric, uint32_t room)
{
	uint32_t class = 0;
	struct mem_buf *buf;

	while (class < MEM_CLASSES - 1 && class_room[class] < room)
		class ++;
	buf = fabric->spare[class];
	if (buf)
		fabric->spare[class] = buf->next;
	else
		buf = malloc(sizeof *buf + class_room[class]);
	if (buf) {
		memset(buf, 0, sizeof *buf);
		buf->class = class;
	}
	return buf;
}

void mem_buf_free(struct ela_mem_fabric *fabric, struct mem_buf *buf)
{
	buf->next = fabric->spare[buf->class];
	fabric->spare[buf->class] = buf;
}

void mem_queue_init(struct mem_queue *queue)
{
	*queue = (struct mem_queue){.end = &queue->head};
}

void mem_queue_push(struct mem_queue *queue, struct mem_buf *buf)
{
	buf->next = NULL;
	*queue->end = buf;
	queue->end = &buf->next;
	queue->n++;
	queue->bytes += buf->len;
}

struct mem_buf *mem_queue_pop(struct mem_queue *queue)
{
	struct mem_buf *buf = queue->head;

	if (!buf)
		return NULL;
	queue->head = buf->next;
	if (!queue->head)
		queue->end = &queue->head;
	queue->n--;
	queue->bytes -= buf->len;
	return buf;
}

void mem_queue_clear(struct ela_mem_fabric *fabric, struct mem_queue *queue)
{
	struct mem_buf *buf;

	while ((buf = mem_queue_pop(queue)))
		mem_buf_free(fabric, buf);
}

void mem_wake(struct ela_mem_fabric *fabric, const struct ela_host *host, uint32_t lane)
{
	if (fabric->wake)
		fabric->wake(fabric->wake_data, host, lane);
}

int mem_signal_new(const struct ela_mem_fabric *fabric)
{
	return fabric->flags & ELA_MEM_VIRTUAL ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void mem_signal_raise(int fd)
{
	uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof one) < 0)
		return; /* EAGAIN: raised 2^64 times, so it is up */
}

void mem_signal_lower(int fd)
{
	uint64_t count;

	if (fd >= 0 && read(fd, &count, sizeof count) < 0)
		return; /* EAGAIN: it was not up */
}

void ela_mem_on_wake(
	struct ela_mem_fabric *fabric, void (*fn)(void *data, const struct ela_host *host, uint32_t lane), void *data)
{
	mem_lock(fabric);
	fabric->wake = fn;
	fabric->wake_data = data;
	mem_unlock(fabric);
}

void ela_mem_tap(struct ela_mem_fabric *fabric, bool (*fn)(void *data, const struct ela_mem_seen *seen), void *data)
{
	mem_lock(fabric);
	fabric->tap = fn;
	fabric->tap_data = data;
	mem_unlock(fabric);
}

void ela_mem_stats(struct ela_mem_fabric *fabric, struct ela_mem_stats *ret)
{
	mem_lock(fabric);
	*ret = fabric->stats;
	mem_unlock(fabric);
}
