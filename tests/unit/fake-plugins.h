/* SPDX-License-Identifier: Apache-2.0 */
/* fake-plugins: descriptors of every kind, linked in, for tests that need names and options but no plugin's work. */
#ifndef ELA_TEST_FAKE_PLUGINS_H
#define ELA_TEST_FAKE_PLUGINS_H

#include "loader.h"

/*
 * npd: tun, mem; cipher: aead, blowfish; transport: udp, tcp; routing: static, chord (with a ring), table. Their
 * operations do nothing. tun has an option of each type: interface, mode, mtu, level (negative), delay (RELOAD), rate,
 * ring, gateway, names (LIST).
 */
extern const struct ela_plugin fake_npd_tun, fake_npd_mem, fake_cipher_aead, fake_cipher_blowfish, fake_transport_udp,
	fake_transport_tcp, fake_route_static, fake_route_chord, fake_route_table;

/* A loader with all of them that searches dirs; the process ends when one is refused. */
struct ela_loader *fake_loader_new(const char *const *dirs);

#endif
