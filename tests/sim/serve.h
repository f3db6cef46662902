/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_SERVE_H
#define VARVE_TESTS_SIM_SERVE_H

#include <stdint.h>

/* Serve the model of nats-server 2.minor.patch on a free port of the loopback, which is printed,
 * until standard input ends. */
int serve(uint32_t minor, uint32_t patch);

#endif
