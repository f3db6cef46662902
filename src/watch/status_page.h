/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_STATUS_PAGE_H
#define VARVE_WATCH_STATUS_PAGE_H

/*
 * What of the status page never changes. It asks for nothing but status.json, so it works offline
 * and behind any prefix; without script it loads itself again.
 */
extern const char page_head[]; /* all up to <body> */
extern const char page_tail[]; /* all behind the content */

/* The header field that allows the style and the script of the page, by their SHA-256, and nothing
 * else. tests/watch/test_page.py says what it has to be. */
extern const char page_policy[];

#endif
