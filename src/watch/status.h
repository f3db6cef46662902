/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_STATUS_H
#define VARVE_WATCH_STATUS_H

#include <stdint.h>

#include "watch/status_write.h"

struct watch;

/* Append the whole status page, or the JSON that its script asks for. Neither a secret nor anything
 * that an event says is in it. */
void status_append(struct buf *out, const struct watch *w, enum status_form form, int64_t now);

/*
 * What of the page never changes (status_page.c). It asks for nothing but status.json, so it works
 * offline and behind any prefix; without script it loads itself again.
 */
extern const char status_page_head[]; /* all up to <body> */
extern const char status_page_tail[]; /* all behind the content */

/* The header field that allows the style and the script of the page, by their SHA-256, and nothing
 * else. tests/watch/test_page.py says what it has to be. */
extern const char status_page_policy[];

#endif
