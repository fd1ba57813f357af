/* SPDX-License-Identifier: Apache-2.0 */
/* Everything a plugin may include, at once. */
#ifndef ELA_ELA_H
#define ELA_ELA_H

#include <ela/cipher.h>
#include <ela/host.h>
#include <ela/npd.h>
#include <ela/plugin.h>
#include <ela/routing.h>
#include <ela/transport.h>
#include <ela/types.h>

#endif
