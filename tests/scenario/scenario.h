/* What all stories include: cmocka and the simulated world. */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/story.h"
#include "sluice/kafka_errors.h"
#include "wire/api.h"

#endif
