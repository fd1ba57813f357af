/* SPDX-License-Identifier: Apache-2.0 */
/* listing: a plugin as elad --list-plugins shows it. Pure functions; any thread. */
#ifndef ELA_CORE_LISTING_H
#define ELA_CORE_LISTING_H

#include "loader.h"

/*
 * "KIND NAME VERSION ABI SUITES FILE", then a line an option, with a tab in front: "KEY TYPE DEFAULT RANGE UNIT HELP".
 * All fields are parted by tabs; "-" = none. Every line ends with a newline. g_free.
 */
char *ela_listing(const struct ela_loaded *plugin);

#endif
