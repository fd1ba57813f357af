/* SPDX-License-Identifier: Apache-2.0 */
/* broken-none: a shared object that is no plugin; LOADS_BADLY crashes before anyone can ask. */
#include <ela/ela.h>

extern ELA_EXPORT int not_a_plugin;
ELA_EXPORT int not_a_plugin = 1;

#ifdef LOADS_BADLY
static __attribute__((constructor)) void crash(void)
{
	__builtin_trap();
}
#endif
