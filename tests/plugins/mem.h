/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem: devices and an underlay in memory, for tests, the simulator and instruction counts. Never installed.
 *
 * A fabric is one small world: devices (used through plugin npd-mem) and endpoints (through transport-mem) with the
 *links between them. Plugins are created by core, which hands them nothing but struct ela_host, and an option's value
 *is text: so a fabric has a name, and the option `fabric` of both plugins names the one to use. The registry of names
 *is the only state of the process here. A name that no test has made is made at first use (the plugins as .so files in
 *elad or ela-plugin-check), then device echoes and links are perfect.
 *
 *	struct ela_mem_fabric *fabric = ela_mem_fabric_new("t1", seed, ELA_MEM_VIRTUAL);
 *	ela_loader_add(loader, &ela_npd_mem, &error); ela_loader_add(loader, &ela_transport_mem, &error);
 *	ela.ini of node a:  [npd-mem] fabric = t1, device = a   [transport-mem] fabric = t1, listen = 10.0.0.1
 *	of node b:          the same with b and 10.0.0.2, and [peer a] endpoint = 10.0.0.1:7450, transport = mem
 *	ela_mem_device_put(ela_mem_device(fabric, "a"), 0, &packet);
 *	run loop and lanes; then ela_mem_device_take(ela_mem_device(fabric, "b"), buf, sizeof buf, &packet)
 *
 * Clock, timers and posts are each plugin's host's. Everything is behind one mutex of the fabric, so real lanes and
 * threads may use it too; in one thread under virtual time the same seed gives the same run. Callbacks set here run
 *with the mutex held, on whatever thread sent: they must not call into the fabric.
 */
#ifndef ELA_TESTS_MEM_H
#define ELA_TESTS_MEM_H

#include <ela/ela.h>
#include <stdbool.h>

struct ela_mem_fabric;
struct ela_mem_device;

/* The descriptors, for ela_loader_add(). */
extern const struct ela_plugin ela_npd_mem, ela_transport_mem;

/* Flags of ela_mem_fabric_new(). */
#define ELA_MEM_VIRTUAL 0x1u /* no descriptors: queue_fd, lane_fd and conn_fd are -1, the caller turns the lanes */

/* Registers a fabric. NULL when the name (1..32 bytes) is taken or memory is out. */
struct ela_mem_fabric *ela_mem_fabric_new(const char *name, uint64_t seed, uint32_t flags);
/* When every plugin that used it was destroyed and their loops run no more. Takes NULL. */
void ela_mem_fabric_free(struct ela_mem_fabric *fabric);

/*
 * Called when a lane of a host got something to read, so that a simulator of many nodes turns those lanes only. host is
 * the one that the plugin was created with.
 */
void ela_mem_on_wake(
	struct ela_mem_fabric *fabric, void (*fn)(void *data, const struct ela_host *host, uint32_t lane), void *data);

/* How one direction between two hosts behaves. All zero is perfect. */
struct ela_mem_link {
	uint64_t delay_ns;
	uint64_t jitter_ns;  /* delay_ns plus 0..jitter_ns evenly; reorders datagrams, never a stream's bytes */
	uint64_t reorder_ns; /* how much later a datagram picked by reorder_ppm comes */
	uint64_t rate_bps;   /* 0 = no limit */
	uint64_t queue_ns;   /* with a rate: what would wait longer is lost; 0 = 100 ms */
	uint32_t loss_ppm;   /* of a million: each datagram, also inside a train; a stream's chunk comes 200 ms later */
	uint32_t dup_ppm;
	uint32_t reorder_ppm;
	uint32_t mtu;        /* largest datagram (payload), 0 = no limit: larger ones get -EMSGSIZE */
	uint32_t black_hole; /* larger ones vanish, 0 = no limit */
	bool split;          /* trains are carried as single datagrams, each with a fate of its own */
	bool down;           /* nothing passes; streams stall and go on after */
};

/* The link between hosts that have none of their own. NULL = perfect. */
void ela_mem_link_default(struct ela_mem_fabric *fabric, const struct ela_mem_link *link);
/* From one host to another, one direction, addresses as text. NULL = the default again. -EINVAL for a bad address. */
int ela_mem_link_set(struct ela_mem_fabric *fabric, const char *from, const char *to, const struct ela_mem_link *link);
/* Cuts or heals both directions between two hosts; the links keep their other properties. */
int ela_mem_partition(struct ela_mem_fabric *fabric, const char *a, const char *b, bool cut);
/* Cuts or heals a host from and to all others. */
int ela_mem_isolate(struct ela_mem_fabric *fabric, const char *host, bool cut);
/*
 * The endpoint at from:port moves to another address (roaming): what it sends comes from there, what is under way to
 * the old address is lost, its streams die as a TCP connection would: no word to anyone, nothing passes. -ENOENT,
 * -EADDRINUSE.
 */
int ela_mem_move(struct ela_mem_fabric *fabric, const char *from, const char *to, uint16_t port);
/* Resets every stream between two hosts: both ends read -EPIPE at once. Returns how many. */
uint32_t ela_mem_kill_streams(struct ela_mem_fabric *fabric, const char *a, const char *b);

/* A train or a stream's chunk as it enters the underlay, before any loss. */
struct ela_mem_seen {
	struct ela_addr from, to;
	const uint8_t *bytes; /* borrowed */
	uint32_t len;
	uint32_t segment; /* size of each datagram but the last; len for one */
	uint64_t now_ns;
	bool stream;
};

/* Sees everything that is sent; false = this datagram train is lost (of a stream: ignored). NULL takes it off. */
void ela_mem_tap(struct ela_mem_fabric *fabric, bool (*fn)(void *data, const struct ela_mem_seen *seen), void *data);
/* Puts a datagram (segment 0 or len) or train into the endpoint `to`, now, past all links. -ENOENT, -ENOBUFS. */
int ela_mem_inject(struct ela_mem_fabric *fabric, const struct ela_addr *from, const struct ela_addr *to,
	const void *bytes, uint32_t len, uint32_t segment);
/* "10.0.0.1" or an IPv6 literal, and a port. -EINVAL. */
int ela_mem_addr(const char *text, uint16_t port, struct ela_addr *ret);

/* What the underlay did so far: datagrams, not trains. */
struct ela_mem_stats {
	uint64_t sent, delivered, lost, duplicated, reordered;
	uint64_t unreachable; /* no endpoint there, cut, or moved away */
	uint64_t overflowed;  /* a lane's queue was full, or the link's */
	uint64_t stream_bytes;
};
void ela_mem_stats(struct ela_mem_fabric *fabric, struct ela_mem_stats *ret);

/* The device of that name; made at the first call, open or not. It lives as long as the fabric. */
struct ela_mem_device *ela_mem_device(struct ela_mem_fabric *fabric, const char *name);
/*
 * Hands the node a packet or superpacket (gather lists allowed); copied. -ENOBUFS when 4,096 wait in the queue, -EINVAL
 * for one longer than 65,535 bytes.
 */
int ela_mem_device_put(struct ela_mem_device *device, uint32_t queue, const struct ela_packet *packet);
/* Feeds the packet that often, copying into the arena only: nothing else is in an instruction count. */
int ela_mem_device_replay(
	struct ela_mem_device *device, uint32_t queue, const struct ela_packet *packet, uint64_t copies);
/* Takes the oldest packet that the node wrote: fills buf and *ret (data = buf). Its length, -EAGAIN, -EMSGSIZE. */
int ela_mem_device_take(struct ela_mem_device *device, uint8_t *buf, uint32_t room, struct ela_packet *ret);
/* Whether written packets are kept for take() (default: yes, up to 65,536; what is more is counted as uncollected). */
void ela_mem_device_collect(struct ela_mem_device *device, bool on);
/* Capabilities (ELA_NPD_*) from now on; over the option `caps` and kept when the device is opened again. */
void ela_mem_device_caps(struct ela_mem_device *device, uint32_t caps);
/* Whether it answers by itself; over the option `echo`. */
void ela_mem_device_echo(struct ela_mem_device *device, bool on);
/* After so many more packets write_burst answers err (negative) once; then it goes on as before. */
void ela_mem_device_fail(struct ela_mem_device *device, uint64_t after, int err);

struct ela_mem_device_stats {
	uint64_t read_packets, read_bytes;       /* by the node */
	uint64_t written_packets, written_bytes; /* by the node */
	uint64_t written_super;                  /* superpackets among them */
	uint64_t echoed;
	uint64_t refused;     /* an offload that was off */
	uint64_t uncollected; /* written, but not kept */
	uint32_t mtu;
	bool open;
};
void ela_mem_device_stats(struct ela_mem_device *device, struct ela_mem_device_stats *ret);

#endif
