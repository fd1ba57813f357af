/* SPDX-License-Identifier: Apache-2.0 */
/* device: devices in memory as a test sees them: puts packets in, takes packets out, sets what goes wrong. Any thread.
 */
#include "device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_PACKETS 4096u
#define OUT_PACKETS 65536u
#define ALIGN 16u /* npd.h: where an IP header may begin */
#define TAIL 64u  /* npd.h: what stays free behind the last packet */

struct ela_mem_device *mem_device_get(struct ela_mem_fabric *fabric, const char *name)
{
	struct ela_mem_device *device = g_hash_table_lookup(fabric->devices, name);

	if (device)
		return device;
	device = g_new0(struct ela_mem_device, 1);
	device->fabric = fabric;
	(void)g_strlcpy(device->name, name, sizeof device->name); /* bounded by the option's table */
	mem_queue_init(&device->out);
	for (uint32_t i = 0; i < ELA_MAX_LANES; i++) {
		mem_queue_init(&device->in[i]);
		device->fds[i] = -1;
	}
	g_hash_table_insert(fabric->devices, device->name, device);
	return device;
}

void mem_device_free(void *data)
{
	struct ela_mem_device *device = data;

	for (uint32_t i = 0; i < ELA_MAX_LANES; i++) {
		mem_queue_clear(device->fabric, &device->in[i]);
		if (device->replays[i].packet)
			mem_buf_free(device->fabric, device->replays[i].packet);
	}
	mem_queue_clear(device->fabric, &device->out);
	g_free(device);
}

struct ela_mem_device *ela_mem_device(struct ela_mem_fabric *fabric, const char *name)
{
	struct ela_mem_device *device;

	mem_lock(fabric);
	device = mem_device_get(fabric, name);
	mem_unlock(fabric);
	return device;
}

/* Copies a packet and its gather list into a buffer. NULL when it is too long or memory is out. */
static struct mem_buf *flatten(struct ela_mem_fabric *fabric, const struct ela_packet *packet)
{
	uint64_t len = packet->len;
	struct mem_buf *buf;

	for (uint32_t i = 0; i < packet->n_more; i++)
		len += packet->more[i].iov_len;
	if (len > MEM_MAX_PACKET)
		return NULL;
	buf = mem_buf_new(fabric, (uint32_t)len);
	if (!buf)
		return NULL;
	memcpy(buf->bytes, packet->data, packet->len);
	buf->len = packet->len;
	for (uint32_t i = 0; i < packet->n_more; i++) {
		memcpy(buf->bytes + buf->len, packet->more[i].iov_base, packet->more[i].iov_len);
		buf->len += (uint32_t)packet->more[i].iov_len;
	}
	buf->meta = (struct ela_packet){.gso_size = packet->gso_size,
		.gso_type = packet->gso_type,
		.flags = packet->flags,
		.csum_start = packet->csum_start,
		.csum_offset = packet->csum_offset,
		.hdr_len = packet->hdr_len};
	return buf;
}

/* The node's lane has something to read. */
static void notify(struct ela_mem_device *device, uint32_t queue)
{
	mem_signal_raise(device->fds[queue]);
	if (device->host)
		mem_wake(device->fabric, device->host, queue);
}

static int put(struct ela_mem_device *device, uint32_t queue, struct mem_buf *buf)
{
	if (device->in[queue].n == QUEUE_PACKETS) {
		mem_buf_free(device->fabric, buf);
		return -ENOBUFS;
	}
	mem_queue_push(&device->in[queue], buf);
	notify(device, queue);
	return 0;
}

int ela_mem_device_put(struct ela_mem_device *device, uint32_t queue, const struct ela_packet *packet)
{
	struct mem_buf *buf;
	int err = -EINVAL;

	if (queue >= ELA_MAX_LANES)
		return -EINVAL;
	mem_lock(device->fabric);
	buf = flatten(device->fabric, packet);
	if (buf)
		err = put(device, queue, buf);
	mem_unlock(device->fabric);
	return err;
}

int ela_mem_device_replay(
	struct ela_mem_device *device, uint32_t queue, const struct ela_packet *packet, uint64_t copies)
{
	struct mem_replay *replay = &device->replays[queue];
	struct mem_buf *buf;

	mem_lock(device->fabric);
	buf = flatten(device->fabric, packet);
	if (buf) {
		if (replay->packet)
			mem_buf_free(device->fabric, replay->packet);
		replay->packet = buf;
		replay->left = copies;
		notify(device, queue);
	}
	mem_unlock(device->fabric);
	return buf ? 0 : -EINVAL;
}

/* Lays one packet into the arena by npd.h's rules; false when there is no room for it. */
static bool lay(struct mem_arena *arena, const struct mem_buf *buf, struct ela_packet *ret)
{
	uintptr_t at = ((uintptr_t)arena->at + arena->headroom + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1);
	uint8_t *data = arena->at + (at - (uintptr_t)arena->at);

	if (data > arena->end || (size_t)(arena->end - data) < (size_t)buf->len + TAIL)
		return false;
	memcpy(data, buf->bytes, buf->len);
	ret->data = data;
	ret->len = buf->len;
	ret->gso_size = buf->meta.gso_size;
	ret->gso_type = buf->meta.gso_type;
	ret->flags = buf->meta.flags;
	ret->csum_start = buf->meta.csum_start;
	ret->csum_offset = buf->meta.csum_offset;
	ret->hdr_len = 0;
	ret->reserved16 = 0;
	ret->len_total = 0;
	ret->n_more = 0;
	ret->more = NULL;
	arena->at = data + buf->len;
	return true;
}

bool mem_device_next(
	struct ela_mem_device *device, uint32_t queue, struct mem_arena *arena, struct ela_packet *ret, bool *ret_full)
{
	struct mem_replay *replay = &device->replays[queue];
	struct mem_buf *buf = device->in[queue].head;

	if (!buf && replay->left)
		buf = replay->packet;
	if (!buf) {
		mem_signal_lower(device->fds[queue]);
		return false;
	}
	if (!lay(arena, buf, ret)) {
		*ret_full = true;
		return false;
	}
	device->stats.read_packets++;
	device->stats.read_bytes += buf->len;
	mem_device_skip(device, queue);
	return true;
}

void mem_device_skip(struct ela_mem_device *device, uint32_t queue)
{
	struct mem_buf *buf = mem_queue_pop(&device->in[queue]);

	if (buf)
		mem_buf_free(device->fabric, buf);
	else
		device->replays[queue].left--;
}

static bool is_allowed(const struct ela_mem_device *device, const struct ela_packet *packet)
{
	static const uint32_t needs[] = {[ELA_GSO_NONE] = 0,
		[ELA_GSO_TCP4] = ELA_NPD_TSO4,
		[ELA_GSO_TCP6] = ELA_NPD_TSO6,
		[ELA_GSO_UDP4] = ELA_NPD_USO,
		[ELA_GSO_UDP6] = ELA_NPD_USO};
	uint32_t need = packet->flags & ELA_PACKET_NEEDS_CSUM ? ELA_NPD_CSUM : 0;

	if (packet->gso_type > ELA_GSO_UDP6)
		return false;
	need |= needs[packet->gso_type];
	return (device->caps & need) == need;
}

/* Core's own bugs, which a kernel would refuse as well. */
static bool is_sane(const struct ela_packet *packet)
{
	uint64_t len = packet->len;

	for (uint32_t i = 0; i < packet->n_more; i++)
		len += packet->more[i].iov_len;
	if (packet->flags & ELA_PACKET_NEEDS_CSUM && (uint64_t)packet->csum_start + packet->csum_offset + 2 > len)
		return false;
	return len > 0 && (packet->gso_type != ELA_GSO_NONE) == (packet->gso_size != 0);
}

/* The failure that a test asked for, once its time has come. */
static int planned_failure(struct ela_mem_device *device)
{
	int err = device->fail_err;

	if (!err || device->fail_after-- > 0)
		return 0;
	device->fail_err = 0;
	return err;
}

int mem_device_write(struct ela_mem_device *device, uint32_t queue, const struct ela_packet *packet)
{
	int err = planned_failure(device);
	struct mem_buf *buf;

	if (err)
		return err;
	if (!is_allowed(device, packet)) {
		device->stats.refused++;
		return -EOPNOTSUPP;
	}
	if (!is_sane(packet))
		return -EINVAL;
	device->stats.written_packets++;
	device->stats.written_super += packet->gso_type != ELA_GSO_NONE;
	if (!device->echo && device->no_collect) {
		device->stats.written_bytes += packet->len;
		for (uint32_t i = 0; i < packet->n_more; i++)
			device->stats.written_bytes += packet->more[i].iov_len;
		device->stats.uncollected++;
		return 0;
	}
	buf = flatten(device->fabric, packet);
	if (!buf)
		return -EINVAL;
	device->stats.written_bytes += buf->len;
	if (device->echo && mem_echo(buf->bytes, buf->len)) {
		device->stats.echoed += put(device, queue, buf) == 0;
	} else if (device->no_collect || device->out.n == OUT_PACKETS) {
		device->stats.uncollected++;
		mem_buf_free(device->fabric, buf);
	} else {
		mem_queue_push(&device->out, buf);
	}
	return 0;
}

int ela_mem_device_take(struct ela_mem_device *device, uint8_t *buf, uint32_t room, struct ela_packet *ret)
{
	struct mem_buf *packet;
	int result = -EAGAIN;

	mem_lock(device->fabric);
	packet = device->out.head;
	if (packet && packet->len > room) {
		result = -EMSGSIZE;
	} else if (packet) {
		packet = mem_queue_pop(&device->out);
		memcpy(buf, packet->bytes, packet->len);
		*ret = packet->meta;
		ret->data = buf;
		ret->len = ret->len_total = packet->len;
		result = (int)packet->len;
		mem_buf_free(device->fabric, packet);
	}
	mem_unlock(device->fabric);
	return result;
}

void ela_mem_device_collect(struct ela_mem_device *device, bool on)
{
	mem_lock(device->fabric);
	device->no_collect = !on;
	mem_unlock(device->fabric);
}

void ela_mem_device_caps(struct ela_mem_device *device, uint32_t caps)
{
	mem_lock(device->fabric);
	device->caps = caps;
	device->caps_set = true;
	mem_unlock(device->fabric);
}

void ela_mem_device_echo(struct ela_mem_device *device, bool on)
{
	mem_lock(device->fabric);
	device->echo = on;
	device->echo_set = true;
	mem_unlock(device->fabric);
}

void ela_mem_device_fail(struct ela_mem_device *device, uint64_t after, int err)
{
	mem_lock(device->fabric);
	device->fail_after = after;
	device->fail_err = err;
	mem_unlock(device->fabric);
}

void ela_mem_device_stats(struct ela_mem_device *device, struct ela_mem_device_stats *ret)
{
	mem_lock(device->fabric);
	*ret = device->stats;
	mem_unlock(device->fabric);
}
