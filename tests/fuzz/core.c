/* The core alone, for tools that watch memory and cannot watch a test frame: the inputs given (of
 * fuzz_frames), each run as the fuzzer does. */
#include <stdio.h>

#include "tests/fuzz/input.h"

int main(int argc, char **argv)
{
    static u8 data[1u << 16];
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        ASSERT(file != NULL);
        size_t bytes = fread(data, 1, sizeof data, file);
        ASSERT(fclose(file) == 0);
        LLVMFuzzerTestOneInput(data, bytes);
    }
    printf("%d inputs\n", argc - 1);
    return argc > 1 ? 0 : 1;
}
