/* fuzz: any bytes as a packed body, in which one field is looked up. What is found lies inside of it. */
#include "base/panic.h"
#include "frontend/body_field.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    text_t map = {.data = (const char *)data, .length = size}, found = body_string(map, TEXT("e"));
    insist(
        found.data == NULL || (found.data > map.data && found.data + found.length <= map.data + map.length));
    return 0;
}
