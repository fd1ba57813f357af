/* SPDX-License-Identifier: Apache-2.0 */
/* footprint: see footprint.h. Control thread; other threads may run meanwhile, they fault pages in again. */
#include "footprint.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Segments that were never writable hold what is in the file and nothing else. Those that became so after relocation
 * (RELRO) do not, and are writable by their flags. The last page is left where it is not all the segment's.
 */
static int trim_object(struct dl_phdr_info *info, size_t size, void *data)
{
	const uintptr_t page = *(const uintptr_t *)data;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + segment->p_vaddr, to = from + segment->p_filesz;

		from = (from + page - 1) & ~(page - 1);
		to &= ~(page - 1);
		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W) && from < to)
			(void)madvise((void *)from, to - from, MADV_DONTNEED); /* the kernel's own (vdso) refuses: as good */
	}
	return 0;
}

void ela_footprint_trim(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)malloc_trim(0);                      /* whether there was anything does not matter */
	(void)dl_iterate_phdr(trim_object, &page); /* what trim_object() returns */
}
