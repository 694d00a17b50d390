/* phone: see phone.h. Korea's trunk prefix is 0, its country code 82 (ITU-T E.164). */
#include "phone.h"

text_t phone_normalise(arena_t *arena, text_t phone)
{
    char *digits = arena_allocate(arena, phone.length + 2);
    size_t length = 0;
    phone = text_trim(phone);
    if (phone.length > 0 && phone.data[0] == '+')
        digits[length++] = '+';
    for (size_t i = 0; i < phone.length; i++)
        if (phone.data[i] >= '0' && phone.data[i] <= '9')
            digits[length++] = phone.data[i];
    text_t whole = {.data = digits, .length = length};
    if (text_equal(whole, TEXT("+")))
        return TEXT("");
    if (!text_starts_with(whole, TEXT("+82")))
        return whole;
    size_t skipped = length > 3 && digits[3] == '0' ? 4 : 3;
    digits[skipped - 1] = '0';
    return (text_t){.data = digits + skipped - 1, .length = length - skipped + 1};
}

digest_t phone_index(arena_t *arena, const uint8_t key[static 32], text_t phone)
{
    return hash_hmac(key, phone_normalise(arena, phone));
}
