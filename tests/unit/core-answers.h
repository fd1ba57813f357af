/* SPDX-License-Identifier: Apache-2.0 */
/* core-answers: the values of vectors/core-answers.txt (CORE_ANSWERS) by name. Check fails for a name that is not
 * there. */
#ifndef ELA_TEST_CORE_ANSWERS_H
#define ELA_TEST_CORE_ANSWERS_H

#include <stddef.h>
#include <stdint.h>

/* Writes at most room bytes; their number. */
size_t core_answer(const char *name, uint8_t *out, size_t room);

#endif
