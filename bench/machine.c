#include "bench/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The value of the first line `key : value` of a file. */
static void read_value(const char *path, const char *key, char *value, size_t room)
{
    char line[512];
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, key, strlen(key)) != 0) continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(value, room, "%.*s", (int)strcspn(colon, "\n"), colon);
        break;
    }
    if (file) fclose(file);
}

/* Type of the file system whose mount point is the longest begin of the path. */
static void read_file_system(const char *data, struct machine *machine)
{
    char path[4096], device[128], point[1024], kind[64];
    size_t longest = 0;
    if (data == NULL || !realpath(data, path)) return;
    FILE *mounts = fopen("/proc/mounts", "r");
    while (mounts && fscanf(mounts, "%127s %1023s %63s %*[^\n]", device, point, kind) == 3) {
        size_t length = strlen(point);
        bool below =
            strncmp(path, point, length) == 0 && (length == 1 || path[length] == '/' || path[length] == 0);
        if (!below || length < longest) continue;
        longest = length;
        snprintf(machine->file_system, sizeof(machine->file_system), "%s", kind);
        snprintf(machine->device, sizeof(machine->device), "%s", device);
    }
    if (mounts) fclose(mounts);
}

void machine_read(struct machine *machine, const char *data)
{
    struct utsname name;
    *machine = (struct machine){
        .processor = "unknown", .kernel = "unknown", .file_system = "unknown", .device = "unknown"};
    read_value("/proc/cpuinfo", "model name", machine->processor, sizeof(machine->processor));
    if (uname(&name) == 0) {
        snprintf(machine->kernel, sizeof(machine->kernel), "%.60s %.60s", name.sysname, name.release);
    }
    read_file_system(data, machine);
    snprintf(machine->commit, sizeof(machine->commit), "%s", TICKETD_COMMIT);
    machine->cores = (u32)sysconf(_SC_NPROCESSORS_ONLN);
    machine->memory_bytes = (u64)sysconf(_SC_PHYS_PAGES) * (u64)sysconf(_SC_PAGESIZE);
}

u64 machine_stolen_ms(void)
{
    unsigned long long ticks = 0;
    FILE *file = fopen("/proc/stat", "r");
    if (file == NULL) return 0;
    if (fscanf(file, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &ticks) != 1) ticks = 0;
    fclose(file);
    return ticks * 1000 / (u64)sysconf(_SC_CLK_TCK);
}
