/* TURN credentials are those that coturn's form makes: computed by openssl dgst -sha1 -hmac for this name and secret. */
#include "../unit.h"
#include "frontend/realtime/turn.h"

static void test_credential(void **state)
{
    (void)state;
    uuid_t user;
    char name[TURN_NAME_SIZE], password[TURN_PASSWORD_SIZE];
    assert_int_equal(uuid_parse(TEXT("0192f0c1-2233-7455-8677-8899aabbccdd"), &user), 0);
    turn_credential(TEXT("north"), user, 1700000000, name, password);
    assert_string_equal(name, "1700000000:0192f0c1-2233-7455-8677-8899aabbccdd");
    assert_string_equal(password, "BTqQtKfS8Q1EiILylmJsDM/gGa4=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_credential)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
