/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forms of schedules: five fields (minute, hour, day of month, month, day of week) of numbers,
 * names, ranges, steps and lists; @hourly and its like; @every with a duration; TZ= or CRON_TZ= in
 * front. Facts: crontab(5) and upstream's words for what is wrong.
 */
#pragma once

#include "base/str.h"

struct arena;

/* What is wrong with a schedule, in `a`; NULL = nothing. */
const char *cron_check(struct arena *a, struct slice schedule);
/* What is wrong with the name of a time zone. */
const char *cron_check_zone(struct arena *a, struct slice name);
bool cron_knows_zone(struct slice name);
