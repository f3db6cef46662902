/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_VERIFY_VERIFY_H
#define VARVE_PARQUET_VERIFY_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "parquet/codec.h"
#include "parquet/read/file.h"

/*
 * Look at every byte of a file and say what is wrong with it: the frame, the footer, sizes and
 * offsets against each other, every page (CRC, compression, levels, values), and everything that
 * is said about the values (counts, statistics, indexes, order) against the values.
 */
enum parquet_fault {
    PARQUET_FAULT_UNREADABLE,   /* the source failed */
    PARQUET_FAULT_DAMAGED,      /* bytes are not what they should be: no Parquet, cut, flipped */
    PARQUET_FAULT_INCONSISTENT, /* parts contradict each other */
    PARQUET_FAULT_STATISTICS,   /* what is said about values is not true of them */
    PARQUET_FAULT_UNSUPPORTED,  /* legal, but varve can't read it, so can't tell */
};

struct parquet_finding {
    enum parquet_fault fault;
    int64_t row_group;   /* -1: of the whole file */
    struct slice column; /* name; NULL pointer: of no column */
    int64_t page;        /* number in its column chunk, a dictionary page included; -1: of none */
    int64_t offset;      /* in the file; -1: nowhere */
    const char *text;
};

struct parquet_verify {
    struct parquet_codec *codec;
    void (*found)(void *context, const struct parquet_finding *finding);
    void (*progress)(void *context, uint64_t offset); /* bytes done; may be NULL */
    void *context;
    /* Out. */
    uint64_t findings;
    uint64_t row_groups;
    uint64_t rows; /* as the footer says */
    uint64_t pages;
    uint64_t pages_without_crc; /* damage in them may have gone unnoticed */
    /* The file, with its source, until the next call; NULL if it can't be opened. */
    const struct parquet_file *file;
    struct verifier *memory; /* kept from call to call; NULL at first */
};

enum {
    /* Findings that are told of one file; a damaged one can have a million. */
    PARQUET_FINDINGS_MAX = 100,
};

/* All that is found is told to v->found; v->findings is 0 if there was nothing. */
void parquet_verify(struct parquet_verify *v, const struct parquet_source *source);

/* As if a file without anything had been looked at. */
void parquet_verify_none(struct parquet_verify *v);

/* Accepts one that was never used. */
void parquet_verify_free(struct parquet_verify *v);

/* "damaged" and so on. */
const char *parquet_fault_name(enum parquet_fault fault);

#endif
