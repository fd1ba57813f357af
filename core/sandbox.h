/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox: the list of system calls that elad may make once it has dropped its privileges (seccomp, libseccomp).
 * Control thread, once. Everything that is not on the list fails with EPERM, in every thread, those started later
 * included.
 */
#ifndef ELA_CORE_SANDBOX_H
#define ELA_CORE_SANDBOX_H

/*
 * The run-time libraries of AddressSanitizer and ThreadSanitizer fork a tracer, write report files and use their own
 * signal stacks: a build with them has a wider list and fewer proofs. No other build has, and nothing at run time asks.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ELA_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ELA_SANITIZED 1
#endif
#endif
#ifndef ELA_SANITIZED
#define ELA_SANITIZED 0
#endif

/*
 * Applies the list to all threads, for good. state_fd: the folder in which files may be replaced as core/file.h does
 * it, -1: none. 0 or a negative errno. The caller has set no_new_privs.
 */
int ela_sandbox_apply(int state_fd);

#endif
