/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_FAKE_SERVER_H
#define VARVE_TESTS_FAKE_SERVER_H

#include <stddef.h>
#include <stdint.h>

/*
 * A NATS server that does what a transcript says, in a thread, on a free port of the loopback. Each
 * script serves one connection; they come one after the other. A script is a text of lines:
 *
 *     S: text        send the text and CR LF; {name} stands for what was captured
 *     C: pattern     read a line, which must be the pattern: `{name}` captures a word, `...` at the
 *                    end is anything
 *     -- text t      send the text without a line end
 *     -- hex 00ff    send these bytes
 *     -- bytes N c   send the character c N times; if the client closes meanwhile, that is the end
 *     -- repeat N t  send the text t and CR LF, N times
 *     -- close       close the connection, all that was sent arrives
 *     -- reset       close it with RST
 *     -- silence     send nothing more, until the client closes
 *
 * At the end of a script the connection is closed. No wait is longer than FAKE_WAIT_MS.
 */
enum { FAKE_WAIT_MS = 60 * 1000, FAKE_SCRIPTS_MAX = 8 };

struct fake_server;

struct fake_server *fake_server_start(const char *const *scripts, size_t count);

uint16_t fake_server_port(const struct fake_server *server);

/* Wait for the end of the last script. Fails the test with the line of the script where the client
 * did not do what it says. */
void fake_server_finish(struct fake_server *server);

#endif
