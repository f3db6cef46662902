/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_COMMAND_H
#define VARVE_NATS_COMMAND_H

#include "base/buf.h"
#include "base/err.h"
#include "nats/info.h"
#include "nats/options.h"

/* What a client says, appended to an output buffer. Subjects must be valid (nats/subject.h). */

/* CONNECT and its line end. Fails if a signature is needed and can't be made, or if the line is
 * longer than the server's default limit of 4 KiB and hence would be refused (then the error says
 * which credential is too long); nothing is appended then. */
int nats_command_connect(struct buf *out, const struct nats_options *options,
                         const struct nats_info *info, struct err *err)
    __attribute__((warn_unused_result));

void nats_command_ping(struct buf *out);
void nats_command_pong(struct buf *out);
void nats_command_subscribe(struct buf *out, struct slice subject, uint64_t sid);
void nats_command_unsubscribe(struct buf *out, uint64_t sid);

/* PUB, or HPUB if `header` (a whole block, see nats/header.h) is not empty. `reply` may be empty.
 */
void nats_command_publish(struct buf *out, struct slice subject, struct slice reply,
                          struct slice header, struct slice payload);

#endif
