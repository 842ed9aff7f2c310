/* Runs a fuzz target on the files of its corpus, once each, without a fuzzer: so that `make test`
 * replays with any compiler what the fuzzers ever found.
 *
 *   NAME_replay DIRECTORY-OR-FILE...
 *
 * Every target also gets the empty input. A target reports what is wrong by aborting, so reaching
 * the end is success; the name of the input at hand goes to stderr first, for the one that aborts.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INPUT_BYTES = 16 << 20 }; /* libFuzzer's own inputs are 1 MiB at most */

static int count;

static int replay_bytes(const char *name, const uint8_t *data, size_t size) {
    fprintf(stderr, "%s: %zu bytes\n", name, size);
    count++;
    return LLVMFuzzerTestOneInput(data, size);
}

/* The buffer is exactly as large as the input, so that a sanitizer sees the first byte beyond. */
static int replay_file(const char *path, size_t size) {
    if (size > MAX_INPUT_BYTES) {
        fprintf(stderr, "%s: larger than %d bytes\n", path, (int)MAX_INPUT_BYTES);
        return 1;
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    uint8_t *data = malloc(size > 0 ? size : 1);
    int rv = 1;
    if (data != NULL && fread(data, 1, size, file) == size) {
        rv = replay_bytes(path, data, size);
    } else {
        fprintf(stderr, "%s: cannot be read\n", path);
    }
    free(data);
    fclose(file);
    return rv;
}

static int replay_path(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(info.st_mode)) return replay_file(path, (size_t)info.st_size);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        perror(path);
        return 1;
    }
    int rv = 0;
    for (struct dirent *entry; rv == 0 && (entry = readdir(directory)) != NULL;) {
        char name[4096];
        if (entry->d_name[0] == '.') continue;
        int length = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        rv = length < (int)sizeof(name) ? replay_path(name) : 1;
    }
    closedir(directory);
    return rv;
}

int main(int argc, char **argv) {
    int rv = replay_bytes("empty input", (const uint8_t *)"", 0);
    for (int i = 1; rv == 0 && i < argc; i++) rv = replay_path(argv[i]);
    if (rv == 0) printf("%d inputs replayed\n", count);
    return rv != 0;
}
