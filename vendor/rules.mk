# SPDX-License-Identifier: MIT
#
# What is compiled of the vendored sources, and how. The names belong to the versions that
# sources.lock pins.

ZSTD_DIR := vendor/zstd/lib
TLS_DIR := vendor/mbedtls/library
SODIUM_DIR := vendor/libsodium/src/libsodium
VENDOR_SOURCES := \
    vendor/protobuf-c/protobuf-c/protobuf-c.c \
    $(addprefix vendor/yaml/src/,api.c dumper.c emitter.c loader.c parser.c reader.c scanner.c \
        writer.c) \
    $(addprefix $(ZSTD_DIR)/common/,debug.c entropy_common.c error_private.c fse_decompress.c \
        pool.c threading.c xxhash.c zstd_common.c) \
    $(addprefix $(ZSTD_DIR)/compress/,fse_compress.c hist.c huf_compress.c zstd_compress.c \
        zstd_compress_literals.c zstd_compress_sequences.c zstd_compress_superblock.c \
        zstd_double_fast.c zstd_fast.c zstd_lazy.c zstd_ldm.c zstd_opt.c) \
    vendor/zstd_split.c \
    $(addprefix $(ZSTD_DIR)/decompress/,huf_decompress.c huf_decompress_amd64.S zstd_ddict.c \
        zstd_decompress.c zstd_decompress_block.c) \
    $(addprefix $(SODIUM_DIR)/,crypto_core/ed25519/ref10/ed25519_ref10.c \
        crypto_hash/sha512/cp/hash_sha512_cp.c crypto_sign/ed25519/sign_ed25519.c \
        crypto_sign/ed25519/ref10/keypair.c crypto_sign/ed25519/ref10/sign.c sodium/utils.c) \
    vendor/sodium_verify.c \
    $(addprefix $(TLS_DIR)/,aes.c aesce.c aesni.c asn1parse.c asn1write.c base64.c bignum.c \
        bignum_core.c chacha20.c chachapoly.c cipher.c cipher_wrap.c constant_time.c ecdh.c ecdsa.c \
        ecp.c ecp_curves.c error.c gcm.c hkdf.c md.c oid.c pem.c pk.c pk_ecc.c pk_wrap.c pkcs5.c \
        pkparse.c platform_util.c poly1305.c psa_crypto.c psa_crypto_aead.c psa_crypto_cipher.c \
        psa_crypto_client.c psa_crypto_driver_wrappers_no_static.c psa_crypto_ecp.c \
        psa_crypto_hash.c psa_crypto_mac.c psa_crypto_rsa.c psa_crypto_slot_management.c psa_util.c \
        rsa.c rsa_alt_helpers.c sha1.c sha256.c sha512.c ssl_ciphersuites.c ssl_client.c ssl_msg.c \
        ssl_tls.c ssl_tls12_client.c ssl_tls12_server.c ssl_tls13_client.c ssl_tls13_generic.c \
        ssl_tls13_keys.c ssl_tls13_server.c threading.c x509.c \
        x509_crt.c)

VENDOR_INCLUDES := -isystem vendor/protobuf-c -isystem vendor/yaml/include -isystem $(ZSTD_DIR) \
    -isystem $(SODIUM_DIR)/include -isystem vendor/mbedtls/include -isystem vendor \
    -DMBEDTLS_CONFIG_FILE='"mbedtls_parts.h"'

# Not our code, so not our warnings. zstd is two thirds of all CPU time: -O3, as its authors do.
VENDOR_CFLAGS := -std=gnu11 -O3 -g -w $(VENDOR_INCLUDES) \
    -DXXH_NAMESPACE=ZSTD_ -DZSTD_LEGACY_SUPPORT=0 \
    -DYAML_VERSION_MAJOR=0 -DYAML_VERSION_MINOR=2 -DYAML_VERSION_PATCH=5 \
    -DYAML_VERSION_STRING='"0.2.5"'

# And what only one of them gets: VENDOR_CFLAGS_NAME for vendor/NAME/.
#
# Of libsodium only Ed25519 (sodium/crypto_sign_ed25519.h), as its authors wrote it in C, and without
# its configure. Nothing of it asks for random bytes when it signs: who links it gives it
# sodium_misuse() and randombytes_buf(), in place of what sodium_init() would set up.
VENDOR_CFLAGS_libsodium := -O2 -DCONFIGURED=1 -I$(SODIUM_DIR)/include/sodium
VENDOR_CFLAGS_sodium_verify.c := $(VENDOR_CFLAGS_libsodium)

# It reads a page of configuration, once.
VENDOR_CFLAGS_yaml := -Os
# -O2: with -O3 AES-GCM is slower, and no -m flags, since what a CPU can do is found at run time.
VENDOR_CFLAGS_mbedtls := -O2

# It has several decoders for the same bytes, for CPUs and windows of other shapes.
VENDOR_CFLAGS_zstd := -DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT -DHUF_FORCE_DECOMPRESS_X1
VENDOR_CFLAGS_zstd_split.c = $(VENDOR_CFLAGS_zstd)
%/zstd_compress.o: VENDOR_CFLAGS_zstd += -include vendor/zstd_parts.h

# Two bytes a look-up are a quarter faster, and twice the code. On x86-64 its loops are of assembly,
# so that the rest may be small.
ifeq ($(or $(CROSS),$(shell uname -m)),x86_64)
%/huf_decompress.o: VENDOR_CFLAGS_zstd += -UHUF_FORCE_DECOMPRESS_X1 -Os
endif

# Levels from 13 on (zstd_opt.c), which nothing uses by default, may take longer: half the code.
%/zstd_opt.o: VENDOR_CFLAGS_zstd += -Os

# The code of s390x is a third larger than that of x86-64: it would not stay below SIZE_MAX.
ifeq ($(CROSS),s390x)
VENDOR_CFLAGS_mbedtls := -Os
VENDOR_CFLAGS_zstd += -Os
endif
# That of i686 is somewhat larger.
ifeq ($(CROSS),i686)
VENDOR_CFLAGS_mbedtls := -Os
endif
