/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npd-echo: a device without a kernel behind it. A node that runs it answers: it replies to ICMP echo requests and
 * sends UDP datagrams back to where they came from. Start your own device, or any plugin, from this file.
 *
 * Threads: what <ela/npd.h> marks [control] runs on the control thread, read_burst and write_burst on a lane. A lane
 * uses the queue of its number only, so nothing here needs a lock. It must not allocate, block or log.
 */
#include <arpa/inet.h>
#include <ela/ela.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MTU_MAX 9216u /* jumbo frames are as long as it gets */
#define SLOTS_MAX 4096

/* Places in the table of counters at the end of this file; the host shows them as npd-echo.NAME. */
enum { ECHOED, DROP_OTHER };

struct packet {
	uint32_t len;
	uint8_t bytes[MTU_MAX];
};

/* An instance. There may be several in one process: keep nothing in globals. */
struct echo {
	const struct ela_host *host;
	uint64_t *counters;
	uint8_t address[4];
	int fd; /* -1 while closed; an eventfd, readable while the ring has something: it wakes the lane */
	/* Answers that wait to be read: a ring of slots. */
	uint32_t slots, head, n;
	struct packet ring[SLOTS_MAX];
};

static int create(const struct ela_host *host, void **ret_self)
{
	struct echo *self = calloc(1, sizeof *self);
	struct ela_value slots = {0};

	if (!self)
		return -ENOMEM;
	(void)host->option(host, "slots", 0, &slots); /* cannot fail: the table below has a default and a range */
	self->host = host;
	self->slots = (uint32_t)slots.num;
	self->counters = host->counters(host, 0); /* of lane 0 */
	self->fd = -1;
	*ret_self = self; /* set on success only */
	return 0;
}

static void close_device(void *data)
{
	struct echo *self = data;

	if (self->fd >= 0)
		(void)close(self->fd); /* an eventfd has nothing to lose */
	self->fd = -1;
}

static void destroy(void *data)
{
	if (data)
		close_device(data);
	free(data);
}

static int open_device(void *data, const struct ela_npd_config *config, struct ela_npd_info *ret_info)
{
	struct echo *self = data;
	char text[64];

	/* "10.88.0.1/24": IPv4 comes first, and this device speaks no other. A failure's line says the remedy. */
	(void)snprintf(text, sizeof text, "%.*s", (int)strcspn(config->addresses[0], "/"), config->addresses[0]);
	if (inet_pton(AF_INET, text, self->address) != 1 || config->mtu > MTU_MAX) {
		ela_log(self->host, ELA_LOG_ERROR, "unfit mtu=%u; give an IPv4 address, an mtu up to 9216", config->mtu);
		return -EINVAL;
	}
	self->head = self->n = 0;
	self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (self->fd < 0)
		return -errno;
	/* One queue: elad then runs one lane. No caps: checksums come finished, no packet is longer than the MTU. */
	*ret_info = (struct ela_npd_info){.name = "echo", .n_queues = 1, .mtu = config->mtu};
	return 0;
}

static uint32_t caps(void *data)
{
	(void)data;
	return 0;
}

static int queue_fd(void *data, uint32_t queue)
{
	return queue == 0 ? ((const struct echo *)data)->fd : -1;
}

static void swap(uint8_t *a, uint8_t *b, uint32_t len)
{
	uint8_t was[4];

	memcpy(was, a, len);
	memcpy(a, b, len);
	memcpy(b, was, len);
}

/*
 * Turns a packet into its answer, in place; false when there is none. Packets come from other people: believe no
 * length. Addresses and ports that change places leave every checksum over them as it was.
 */
static bool answer(const struct echo *self, struct packet *p)
{
	uint8_t *ip = p->bytes, *l4;
	uint32_t ihl = (ip[0] & 15u) * 4, sum;

	if (p->len < 28 || ihl < 20 || ihl + 8 > p->len || ip[0] >> 4 != 4 || ((uint32_t)ip[2] << 8 | ip[3]) != p->len)
		return false;
	if ((ip[6] & 0x3f) || ip[7] || memcmp(ip + 16, self->address, 4) != 0)
		return false; /* a fragment, a broadcast, or not for us */
	l4 = ip + ihl;
	if (ip[9] == IPPROTO_UDP) {
		swap(l4, l4 + 2, 2);
	} else if (ip[9] == IPPROTO_ICMP && l4[0] == 8) {
		sum = ((uint32_t)l4[2] << 8 | l4[3]) + 0x0800; /* the type becomes 0: RFC 1624 */
		sum += sum >> 16;
		l4[0] = 0;
		l4[2] = (uint8_t)(sum >> 8);
		l4[3] = (uint8_t)sum;
	} else {
		return false;
	}
	swap(ip + 12, ip + 16, 4);
	return true;
}

/* A packet may be in pieces: data, then more[]. False when it is too long. */
static bool gather(const struct ela_packet *p, struct packet *to)
{
	if (p->len_total > MTU_MAX)
		return false;
	memcpy(to->bytes, p->data, p->len);
	to->len = p->len;
	for (uint32_t i = 0; i < p->n_more; to->len += (uint32_t)p->more[i++].iov_len)
		memcpy(to->bytes + to->len, p->more[i].iov_base, p->more[i].iov_len);
	return true;
}

static int write_burst(void *data, uint32_t queue, const struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	struct echo *self = data;
	uint64_t one = 1;
	uint32_t done;

	(void)queue;
	for (done = 0; done < n && self->n < self->slots; done++) {
		struct packet *slot = &self->ring[(self->head + self->n) % self->slots];
		bool good = gather(&pkts[done], slot) && answer(self, slot);

		ela_count(&self->counters[good ? ECHOED : DROP_OTHER], 1); /* every drop has a counter */
		self->n += good;
	}
	if (self->n)
		(void)!write(self->fd, &one, sizeof one); /* fails only when it is raised 2^64 times */
	if (done < n)
		*ret_err = -EAGAIN; /* full: the host drops the rest and counts it */
	return (int)done;
}

static int read_burst(void *data, uint32_t queue, uint8_t *arena, uint32_t arena_len, uint32_t headroom,
	struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	struct echo *self = data;
	uint8_t *at = arena, *end = arena + arena_len;
	uint64_t count;
	uint32_t done;

	(void)queue;
	for (done = 0; done < n && self->n; done++, self->n--) {
		const struct packet *p = &self->ring[self->head];
		/* An IP header begins at a multiple of 16, with headroom in front and 64 bytes free behind the last. */
		uint8_t *ip = at + headroom + (-((uintptr_t)at + headroom) & 15);

		if (ip > end || (size_t)(end - ip) < p->len + 64)
			break;
		memcpy(ip, p->bytes, p->len);
		at = ip + p->len;
		pkts[done] = (struct ela_packet){.data = ip, .len = p->len}; /* one packet, its checksums whole */
		self->head = (self->head + 1) % self->slots;
	}
	if (!self->n)
		(void)!read(self->fd, &count, sizeof count); /* lowers it; fails when it is not raised */
	if (!done)
		*ret_err = -EAGAIN;
	return (int)done;
}

/* set_mtu is optional and absent here: the host fills in a function that says -EOPNOTSUPP. */
static const struct ela_npd_ops ops = {.create = create,
	.destroy = destroy,
	.open = open_device,
	.close = close_device,
	.queue_fd = queue_fd,
	.read_burst = read_burst,
	.write_burst = write_burst,
	.caps = caps};

/* The keys of [npd-echo] in ela.ini; elad checks them before create() and lists them with --list-plugins. */
static const struct ela_option options[] = {{.key = "slots",
	.def = "256",
	.unit = "packets",
	.help = "answers that may wait",
	.type = ELA_OPTION_INT,
	.min = 16,
	.max = SLOTS_MAX}};

static const char *const counters[] = {[ECHOED] = "echoed", [DROP_OTHER] = "drop-other"};

/* The one symbol that the host looks for. The file must be called npd-NAME.so. */
ELA_PLUGIN(.kind = ELA_KIND_NPD, .name = "echo", .version = "1.0", .licence = "Apache-2.0",
	.summary = "answers pings and echoes UDP", .ops = &ops, .ops_size = sizeof ops, .options = options, .n_options = 1,
	.counters = counters, .n_counters = 2);
