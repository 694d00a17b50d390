/* unit: what every unit test includes. A file holds tables of cases and one main() that runs them with
 * cmocka. */
#pragma once
/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
/* A text_t against a string literal. */
#define assert_text(actual, expected)                                                                        \
    do {                                                                                                     \
        text_t assert_text_actual = (actual);                                                                \
        assert_int_equal(assert_text_actual.length, strlen(expected));                                       \
        assert_memory_equal(assert_text_actual.data, expected, strlen(expected));                            \
    } while (0)
