/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many cores this process may use.
 *
 * Method: the smaller of the affinity mask and the cgroup v2 CPU quota (quota / period, rounded
 * up), where the quota of every ancestor counts: /proc/self/cgroup names the group, each directory
 * from there up to the mount point may hold a cpu.max (Linux, Documentation/admin-guide/cgroup-v2).
 */
#include "base/thread.h"

#include "base/buf.h"
#include "base/file.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

/* "50000 100000" or "max 100000"; 0 when there is no quota or no such file. */
static int quota_read(const char *path)
{
    vt_buf text;
    vt_buf_init(&text, 128);
    int cores = 0;
    char *period = NULL;
    if (vt_file_read(path, 128, &text, NULL) == VT_OK && text.data)
        period = strchr(text.data, ' ');
    if (period) {
        *period++ = '\0';
        period[strcspn(period, "\n")] = '\0';
        int64_t quota_us, period_us;
        if (vt_parse_int(text.data, 1, INT64_C(1) << 50, &quota_us) &&
            vt_parse_int(period, 1, INT64_C(1) << 50, &period_us)) {
            int64_t rounded_up = (quota_us + period_us - 1) / period_us;
            cores = rounded_up < INT32_MAX ? (int)rounded_up : 0;
        }
    }
    vt_buf_deinit(&text);
    return cores;
}

int vt_core_quota(const char *group_list, const char *mount)
{
    vt_buf text, path;
    vt_buf_init(&text, 1 << 16);
    vt_buf_init(&path, 1 << 14);
    int least = 0;
    /* Version 2 is the line of hierarchy 0, which has no controller names. */
    char *line = NULL;
    if (vt_file_read(group_list, 1 << 16, &text, NULL) == VT_OK && text.data)
        line = strncmp(text.data, "0::/", 4) == 0 ? text.data : strstr(text.data, "\n0::/");
    if (line) {
        line = strchr(line, '/');
        line[strcspn(line, "\n")] = '\0';
    }
    while (line) {
        vt_buf_clear(&path);
        if (!vt_buf_printf(&path, "%s%s/cpu.max", mount, strcmp(line, "/") == 0 ? "" : line))
            break;
        int cores = quota_read(path.data);
        if (cores && (!least || cores < least))
            least = cores;
        char *last = strrchr(line, '/');
        if (!last || *line == '\0')
            break;
        *last = '\0';
    }
    vt_buf_deinit(&path);
    vt_buf_deinit(&text);
    return least;
}

static int affinity_count(void)
{
    /* The mask grows until the kernel's fits: machines with more than 1024 cores exist. */
    for (int room = 1024; room <= 1 << 20; room *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)room);
        if (!set)
            break;
        size_t bytes = CPU_ALLOC_SIZE((size_t)room);
        bool fits = sched_getaffinity(0, bytes, set) == 0;
        int count = fits ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (fits)
            return count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 && online < INT32_MAX ? (int)online : 1;
}

int vt_core_count(void)
{
    int cores = affinity_count();
    int quota = vt_core_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    if (quota && quota < cores)
        cores = quota;
    return cores > 0 ? cores : 1;
}
