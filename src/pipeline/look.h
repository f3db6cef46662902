/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_LOOK_H
#define VARVE_PIPELINE_LOOK_H

#include "pipeline/pipeline.h"

/* What the watch is shown: p->view. */

/* Make it fit the sources, which are there. */
void look_init(struct pipeline *p);
void look_free(struct pipeline *p);

/* Fill it in, as all is now. Takes over what the sources have raised and resolved. */
void look_fill(struct pipeline *p);

#endif
