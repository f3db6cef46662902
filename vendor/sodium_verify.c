/* SPDX-License-Identifier: MIT
 *
 * Comparing in constant time: the file of libsodium, which has moved between its versions. */
#if __has_include("libsodium/src/libsodium/crypto_verify/verify.c")
#include "libsodium/src/libsodium/crypto_verify/verify.c"
#else
#include "libsodium/src/libsodium/crypto_verify/sodium/verify.c"
#endif
