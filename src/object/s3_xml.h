/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_S3_XML_H
#define VARVE_OBJECT_S3_XML_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * As much of XML 1.0 as the answers of an object store have, and nothing that can hurt: elements
 * and text, the five entities and characters by number. Attributes, comments and processing
 * instructions are passed over; a document type, with which entities could be defined, is refused.
 */
enum {
    XML_DEPTH_MAX = 16,  /* they nest 4 deep */
    XML_PATH_MAX = 256,  /* the names of all elements around one */
    XML_TEXT_MAX = 8192, /* of one element: a key of 1,024 bytes has at most 6 times as many */
};

/* An element ends: `path` is "ListBucketResult/Contents/Key", its own name last, without prefixes
 * of namespaces; `text` is what was in it, behind elements of its own. Both are valid during
 * the call. False: no more, please. */
typedef bool xml_visit(void *context, const char *path, struct slice text);

/* Visit all elements of a document, in the order in which they end. 0 also if the visitor has had
 * enough; ERR_PROTOCOL for what is no XML of this kind, or not complete. */
int xml_walk(struct slice document, xml_visit *visit, void *context, struct err *err)
    __attribute__((warn_unused_result));

/* Append the text of the first element with this path. False, and nothing is appended, if there is
 * none, or the document is not sound up to there. */
bool xml_find(struct slice document, const char *path, struct buf *out);

#endif
