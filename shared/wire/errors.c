/* errors: every sentence a client can be told stands in one of the two tables here, Korean first. Codes and
 * statuses are those of product.md, section 9; they never change their meaning once a client knows them. */
#include "errors.h"
#include "../base/panic.h"

const error_row_t errors[ERROR_CODES] = {
    [ERROR_NONE] = {"NONE", 200, {"", ""}},
    [ERROR_VALIDATION] = {"VALIDATION_ERROR", 400,
        {"입력값이 올바르지 않습니다.", "The input is not valid."}},
    [ERROR_UNAUTHENTICATED] = {"UNAUTHENTICATED", 401, {"로그인이 필요합니다.", "Please log in."}},
    [ERROR_INVALID_CREDENTIALS] = {"INVALID_CREDENTIALS", 401,
        {"이메일 또는 비밀번호가 올바르지 않습니다.", "The e-mail address or the password is wrong."}},
    [ERROR_FORBIDDEN] = {"FORBIDDEN", 403,
        {"이 작업을 할 권한이 없습니다.", "You are not allowed to do this."}},
    [ERROR_NOT_FOUND] = {"NOT_FOUND", 404,
        {"요청하신 항목을 찾을 수 없습니다.", "There is nothing here by that name."}},
    [ERROR_METHOD_NOT_ALLOWED] = {"METHOD_NOT_ALLOWED", 405,
        {"이 주소에서 지원하지 않는 메서드입니다.", "This address does not support that method."}},
    [ERROR_CONFLICT] = {"CONFLICT", 409,
        {"현재 상태와 충돌하여 요청을 처리할 수 없습니다.", "The request conflicts with the current state."}},
    [ERROR_EMAIL_TAKEN] = {"EMAIL_TAKEN", 409,
        {"이미 사용 중인 이메일입니다.", "This e-mail address is already in use."}},
    [ERROR_INVALID_STATE] = {"INVALID_STATE", 409,
        {"현재 상태에서는 할 수 없는 작업입니다.", "This cannot be done in the current state."}},
    [ERROR_IN_USE] = {"IN_USE", 409,
        {"다른 곳에서 사용 중이므로 처리할 수 없습니다.", "It is in use elsewhere, so this cannot be done."}},
    [ERROR_LAST_ADMIN] = {"LAST_ADMIN", 409,
        {"관리자는 최소 한 명이 있어야 합니다.", "There must be at least one administrator."}},
    [ERROR_LAST_GUARDIAN] = {"LAST_GUARDIAN", 409,
        {"아이에게는 보호자가 최소 한 명 있어야 합니다.", "A child must have at least one guardian."}},
    [ERROR_CONSENT_REQUIRED] = {"CONSENT_REQUIRED", 422,
        {"먼저 필요한 동의를 해 주세요.", "Please give the necessary consents first."}},
    [ERROR_UNPROCESSABLE] = {"UNPROCESSABLE", 422,
        {"형식은 맞지만 처리할 수 없는 내용입니다.", "The content is well-formed but cannot be processed."}},
    [ERROR_AGE_NOT_SUPPORTED] = {"AGE_NOT_SUPPORTED", 422,
        {"이 월령에는 발달 체크를 할 수 없습니다. (생후 4개월부터 71개월까지)",
            "Assessments are for children of 4 to 71 months; there is none for this age."}},
    [ERROR_PAYLOAD_TOO_LARGE] = {"PAYLOAD_TOO_LARGE", 413,
        {"보내신 데이터가 너무 큽니다.", "The data is too large."}},
    [ERROR_UNSUPPORTED_MEDIA_TYPE] = {"UNSUPPORTED_MEDIA_TYPE", 415,
        {"지원하지 않는 데이터 형식입니다.", "This media type is not supported."}},
    [ERROR_URI_TOO_LONG] = {"URI_TOO_LONG", 414, {"주소가 너무 깁니다.", "The address is too long."}},
    [ERROR_HEADERS_TOO_LARGE] = {"HEADERS_TOO_LARGE", 431,
        {"요청 헤더가 너무 큽니다.", "The request's header fields are too large."}},
    [ERROR_RATE_LIMITED] = {"RATE_LIMITED", 429,
        {"요청이 너무 많습니다. 잠시 후 다시 시도해 주세요.", "Too many requests. Please try again later."}},
    [ERROR_UNAVAILABLE] = {"UNAVAILABLE", 503,
        {"일시적으로 서비스를 이용할 수 없습니다. 잠시 후 다시 시도해 주세요.",
            "The service is temporarily unavailable. Please try again later."}},
    [ERROR_TIMEOUT] = {"TIMEOUT", 504,
        {"처리 시간이 초과되었습니다. 잠시 후 다시 시도해 주세요.",
            "The request took too long. Please try again later."}},
    [ERROR_INTERNAL] = {"INTERNAL", 500,
        {"서버에서 오류가 발생했습니다. 잠시 후 다시 시도해 주세요.",
            "Something went wrong on our side. Please try again later."}},
    [ERROR_SUSPENDED] = {"SUSPENDED", 403, {"이용이 정지된 계정입니다.", "This account is suspended."}},
    [ERROR_KEY_REUSED] = {"IDEMPOTENCY_KEY_REUSED", 422,
        {"같은 Idempotency-Key가 다른 내용의 요청에 이미 사용되었습니다.",
            "This Idempotency-Key was used for a request with other content."}},
    [ERROR_IN_PROGRESS] = {"IN_PROGRESS", 409,
        {"같은 요청을 아직 처리하고 있습니다. 잠시 후 다시 시도해 주세요.",
            "The same request is still being worked on. Please try again shortly."}},
    [ERROR_CSRF] = {"CSRF", 403,
        {"요청의 출처를 확인할 수 없습니다. 페이지를 새로 고침한 후 다시 시도해 주세요.",
            "The origin of the request could not be confirmed. Please reload the page and try again."}},
    [ERROR_OAUTH_STATE] = {"OAUTH_STATE_INVALID", 401,
        {"소셜 로그인 요청이 만료되었거나 올바르지 않습니다. 처음부터 다시 시도해 주세요.",
            "This social login has expired or does not belong here. Please begin it again."}},
    [ERROR_OAUTH_CODE] = {"OAUTH_CODE_INVALID", 401,
        {"소셜 로그인 제공자가 인증 코드를 받아들이지 않았습니다. 처음부터 다시 시도해 주세요.",
            "The login provider did not accept the code. Please begin again."}},
    [ERROR_OAUTH_TOKEN] = {"OAUTH_TOKEN_INVALID", 401,
        {"소셜 로그인 제공자의 응답을 신뢰할 수 없어 로그인을 중단했습니다.",
            "What the login provider said cannot be trusted, so nobody was logged in."}},
    [ERROR_OAUTH_EMAIL] = {"OAUTH_EMAIL_REQUIRED", 422,
        {"가입하려면 이메일 제공에 동의해 주세요.",
            "Please let the login provider share your e-mail address to register."}},
    [ERROR_OAUTH_LINK_REQUIRED] = {"OAUTH_LINK_REQUIRED", 409,
        {"같은 이메일의 계정이 이미 있습니다. 먼저 로그인한 후 소셜 로그인을 연결해 주세요.",
            "An account with this e-mail address exists. Please log in to it first, then link the social login."}},
    [ERROR_OAUTH_LINKED] = {"OAUTH_ALREADY_LINKED", 409,
        {"이미 다른 계정에 연결되었거나, 이 계정에 같은 제공자가 이미 연결되어 있습니다.",
            "It is linked to another account, or this account is linked to another identity of this provider."}},
};

const char *language_name(enum language language)
{
    static const char *const names[LANGUAGES] = {[LANGUAGE_KO] = "ko", [LANGUAGE_EN] = "en"};
    insist((unsigned)language < LANGUAGES);
    return names[language];
}

/* "q=0.85" in thousandths; -1 when it is none (RFC 9110, 12.4.2). */
static int weight_of(text_t parameter)
{
    parameter = text_trim(parameter);
    if (parameter.length < 3 || parameter.length > 7 || (parameter.data[0] | 0x20) != 'q' ||
        parameter.data[1] != '=')
        return -1;
    const char *digits = parameter.data + 2;
    size_t count = parameter.length - 2;
    int weight = 0;

    if ((digits[0] != '0' && digits[0] != '1') || (count > 1 && digits[1] != '.'))
        return -1;
    for (size_t i = 0; i < 5; i++) {
        if (i == 1)
            continue;
        if (i < count && (digits[i] < '0' || digits[i] > '9'))
            return -1;
        weight = weight * 10 + (i < count ? digits[i] - '0' : 0);
    }
    return weight <= 1000 ? weight : -1;
}

/* One language range with its weight: what it says about each of our languages goes to `best`. A region
 * ("en-GB") counts as its language (RFC 4647, 3.4, lookup). */
static void range_apply(text_t item, int best[LANGUAGES], int *any)
{
    text_t range, parameter, primary;
    int weight = 1000;

    if (!text_split(&item, ';', &range))
        return;
    if (text_split(&item, ';', &parameter))
        weight = weight_of(parameter);
    range = text_trim(range);
    if (weight < 0 || range.length == 0)
        return;
    if (text_equal(range, TEXT("*"))) {
        *any = weight;
        return;
    }
    text_split(&range, '-', &primary);
    for (int i = 0; i < LANGUAGES; i++)
        if (text_equal_nocase(primary, text_of(language_name((enum language)i))) && weight > best[i])
            best[i] = weight;
}

enum error_code error_find(text_t code)
{
    for (int i = ERROR_NONE + 1; i < ERROR_CODES; i++)
        if (text_equal(code, text_of(errors[i].code)))
            return (enum error_code)i;
    return ERROR_NONE;
}

enum language language_of(text_t accept_language)
{
    int best[LANGUAGES], any = 0, chosen_weight = 0;
    enum language chosen = LANGUAGE_KO;
    text_t item;

    for (int i = 0; i < LANGUAGES; i++)
        best[i] = -1;
    while (text_split(&accept_language, ',', &item))
        range_apply(item, best, &any);
    for (int i = 0; i < LANGUAGES; i++) {
        int weight = best[i] >= 0 ? best[i] : any;
        if (weight > chosen_weight) {
            chosen_weight = weight;
            chosen = (enum language)i;
        }
    }
    return chosen;
}

/* --- problems of single fields ------------------------------------------------------------------------------------ */

enum { ANY = -1, NONE = -2 };

/* The first row that fits a problem is its sentence; {} is the bound, or the names of a choice. */
static const struct {
    enum problem_kind kind;
    int type, format; /* of the field; NONE: the problem names no field's row */
    const char *sentence[LANGUAGES];
} sentences[] = {
    {PROBLEM_REQUIRED, ANY, ANY, {"필수 항목입니다.", "This field is required."}},
    {PROBLEM_UNKNOWN, ANY, ANY, {"알 수 없는 항목입니다.", "This field is not known here."}},
    {PROBLEM_NULL, ANY, ANY, {"null일 수 없습니다.", "Must not be null."}},
    {PROBLEM_TYPE, FIELD_text, ANY, {"문자열이어야 합니다.", "Must be a string."}},
    {PROBLEM_TYPE, FIELD_integer, ANY, {"정수여야 합니다.", "Must be a whole number."}},
    {PROBLEM_TYPE, FIELD_boolean, ANY, {"true 또는 false여야 합니다.", "Must be true or false."}},
    {PROBLEM_TYPE, FIELD_decimal, ANY, {"숫자여야 합니다.", "Must be a number."}},
    {PROBLEM_TYPE, FIELD_date, ANY,
        {"날짜 문자열(예: 2025-03-20)이어야 합니다.", "Must be a string with a date like 2025-03-20."}},
    {PROBLEM_TYPE, FIELD_time, ANY,
        {"시각 문자열(예: 2025-03-20T09:00:00Z)이어야 합니다.",
            "Must be a string with a time like 2025-03-20T09:00:00Z."}},
    {PROBLEM_TYPE, FIELD_uuid, ANY, {"UUID 문자열이어야 합니다.", "Must be a string with a UUID."}},
    {PROBLEM_TYPE, FIELD_choice, ANY, {"다음 중 하나여야 합니다: {}", "Must be one of: {}."}},
    {PROBLEM_TYPE, FIELD_list, ANY, {"배열이어야 합니다.", "Must be an array."}},
    {PROBLEM_TYPE, FIELD_json, ANY,
        {"true, false, 정수, 문자열 중 하나여야 합니다.", "Must be true, false, a whole number or a string."}},
    {PROBLEM_TYPE, FIELD_object, ANY, {"객체여야 합니다.", "Must be an object."}},
    {PROBLEM_TYPE, NONE, ANY, {"JSON 객체여야 합니다.", "Must be a JSON object."}},
    {PROBLEM_TYPE, ANY, ANY, {"형식이 올바르지 않습니다.", "Has the wrong type."}},
    {PROBLEM_TOO_SHORT, FIELD_text, FORMAT_PASSWORD,
        {"{}바이트 이상이어야 합니다.", "Must have at least {} bytes."}},
    {PROBLEM_TOO_SHORT, FIELD_text, ANY, {"{}자 이상이어야 합니다.", "Must have at least {} characters."}},
    {PROBLEM_TOO_SHORT, ANY, ANY, {"{}개 이상이어야 합니다.", "Must have at least {} elements."}},
    {PROBLEM_TOO_LONG, FIELD_text, FORMAT_PASSWORD,
        {"{}바이트 이하여야 합니다. (한글은 한 글자가 3바이트입니다)", "Must have at most {} bytes."}},
    {PROBLEM_TOO_LONG, FIELD_json, ANY, {"{}자 이하여야 합니다.", "Must have at most {} characters."}},
    {PROBLEM_TOO_LONG, FIELD_text, ANY, {"{}자 이하여야 합니다.", "Must have at most {} characters."}},
    {PROBLEM_TOO_LONG, ANY, ANY, {"{}개 이하여야 합니다.", "Must have at most {} elements."}},
    {PROBLEM_TOO_SMALL, ANY, ANY, {"{} 이상이어야 합니다.", "Must be at least {}."}},
    {PROBLEM_TOO_LARGE, ANY, ANY, {"{} 이하여야 합니다.", "Must be at most {}."}},
    {PROBLEM_CHOICE, FIELD_choice, ANY, {"다음 중 하나여야 합니다: {}", "Must be one of: {}."}},
    {PROBLEM_CHOICE, ANY, ANY, {"선택할 수 없는 값입니다.", "This value cannot be chosen."}},
    {PROBLEM_FORMAT, FIELD_text, FORMAT_EMAIL,
        {"이메일 주소 형식이 올바르지 않습니다.", "Must be an e-mail address."}},
    {PROBLEM_FORMAT, FIELD_text, FORMAT_PHONE,
        {"전화번호 형식이 올바르지 않습니다. (예: 010-1234-5678)",
            "Must be a phone number like 010-1234-5678."}},
    {PROBLEM_FORMAT, FIELD_text, FORMAT_SLUG,
        {"영문 소문자, 숫자, 하이픈(-)만 쓸 수 있습니다.",
            "May have lower-case letters, digits and hyphens only."}},
    {PROBLEM_FORMAT, FIELD_text, FORMAT_LINE,
        {"앞뒤 공백과 제어 문자 없이 한 줄로 입력해 주세요.",
            "Must be one line without control characters or white space at its ends."}},
    {PROBLEM_FORMAT, FIELD_text, FORMAT_TOKEN,
        {"공백 없는 영문, 숫자, 기호만 쓸 수 있습니다.",
            "May have printable ASCII characters without white space only."}},
    {PROBLEM_FORMAT, FIELD_decimal, ANY,
        {"소수점 이하는 {}자리까지 쓸 수 있습니다.", "May have at most {} digits after the point."}},
    {PROBLEM_FORMAT, FIELD_date, ANY,
        {"존재하는 날짜여야 합니다. (예: 2025-03-20)", "Must be an existing date like 2025-03-20."}},
    {PROBLEM_FORMAT, FIELD_time, ANY,
        {"시각 형식이 올바르지 않습니다. (예: 2025-03-20T09:00:00Z)",
            "Must be a time like 2025-03-20T09:00:00Z."}},
    {PROBLEM_FORMAT, FIELD_uuid, ANY, {"UUID 형식이 올바르지 않습니다.", "Must be a UUID."}},
    {PROBLEM_FORMAT, ANY, ANY, {"형식이 올바르지 않습니다.", "Has the wrong format."}},
    {PROBLEM_DUPLICATE, ANY, ANY, {"같은 항목이 두 번 있습니다.", "This field is there twice."}},
    {PROBLEM_SYNTAX, ANY, ANY,
        {"JSON 문법에 맞지 않습니다. ({}번째 바이트)", "Is not well-formed JSON (at byte {})."}},
    {PROBLEM_TOO_DEEP, ANY, ANY,
        {"{}단계보다 깊게 중첩할 수 없습니다.", "Must not be nested deeper than {} levels."}},
    {PROBLEM_ENCODING, ANY, ANY, {"올바른 UTF-8이 아닙니다.", "Is not well-formed UTF-8."}},
    {PROBLEM_NUL, ANY, ANY, {"NUL 문자는 쓸 수 없습니다.", "Must not contain the NUL character."}},
    {PROBLEM_FUTURE, ANY, ANY, {"미래일 수 없습니다.", "Must not be in the future."}},
    {PROBLEM_PAGE_WINDOW, ANY, ANY,
        {"page와 limit의 곱은 {} 이하여야 합니다. 그다음은 cursor로 조회해 주세요.",
            "page times limit must be at most {}; use cursor to go further."}},
    {PROBLEM_CONSENT, ANY, ANY, {"이 항목에 대한 동의가 필요합니다.", "This consent is needed."}},
    {PROBLEM_OWN_ROLE, ANY, ANY,
        {"자신의 역할이나 상태는 바꿀 수 없습니다.", "You cannot change this of your own account."}},
    {PROBLEM_EMPTY, ANY, ANY, {"비어 있을 수 없습니다.", "Must not be empty."}},
    {PROBLEM_TOO_EARLY, ANY, ANY, {"너무 이른 날짜입니다.", "Is too early."}},
    {PROBLEM_SPENT, ANY, ANY,
        {"이미 사용되었거나 만료된 값입니다. 새로 요청해 주세요.", "Does not work, or no more. Please ask for a new one."}},
    {PROBLEM_OPEN_ATTEMPT, ANY, ANY,
        {"이 아이의 발달 체크가 이미 진행 중입니다. 이어서 해 주세요.",
            "This assessment of the child is in progress already. Please go on with it."}},
    {PROBLEM_UNANSWERED, ANY, ANY, {"이 질문에 답해 주세요.", "This question needs an answer."}},
};

static const char *sentence_of(const problem_t *problem, enum language language)
{
    int type = problem->of ? (int)problem->of->type : NONE;
    int format = problem->of ? (int)problem->of->format : NONE;

    for (size_t i = 0; i < ARRAY_SIZE(sentences); i++)
        if (sentences[i].kind == problem->kind && (sentences[i].type == ANY || sentences[i].type == type) &&
            (sentences[i].format == ANY || sentences[i].format == format))
            return sentences[i].sentence[language];
    panic("no sentence for problem %d", (int)problem->kind);
}

/* A decimal's bound in the client's own unit: 300 of scale 3 is "0.3". */
static text_t decimal_format(arena_t *arena, int64_t value, int scale)
{
    uint64_t unit = 1, size = value < 0 ? -(uint64_t)value : (uint64_t)value;

    while (scale > 0 && size % 10 == 0) {
        size /= 10;
        scale--;
    }
    for (int i = 0; i < scale; i++)
        unit *= 10;
    const char *sign = value < 0 ? "-" : "";
    if (scale == 0)
        return arena_format(arena, "%s%llu", sign, (unsigned long long)size);
    return arena_format(arena, "%s%llu.%0*llu", sign, (unsigned long long)(size / unit), scale,
        (unsigned long long)(size % unit));
}

static text_t names_join(arena_t *arena, const char *const *names)
{
    text_t joined = TEXT("");
    for (; *names != NULL; names++)
        joined = arena_format(arena, "%.*s%s%s", TEXT_ARG(joined), joined.length ? ", " : "", *names);
    return joined;
}

static text_t argument_of(arena_t *arena, const problem_t *problem)
{
    const field_t *field = problem->of;

    if (field != NULL && field->type == FIELD_choice && field->names != NULL)
        return names_join(arena, field->names);
    if (field != NULL && field->type == FIELD_decimal && problem->kind != PROBLEM_FORMAT)
        return decimal_format(arena, problem->bound, field->scale);
    return arena_format(arena, "%lld", (long long)problem->bound);
}

text_t problem_sentence(arena_t *arena, const problem_t *problem, enum language language)
{
    const char *sentence = sentence_of(problem, language), *hole = strstr(sentence, "{}");

    if (hole == NULL)
        return text_of(sentence);
    text_t argument = argument_of(arena, problem);
    return arena_format(arena, "%.*s%.*s%s", (int)(hole - sentence), sentence, TEXT_ARG(argument), hole + 2);
}

void error_json(buffer_t *out, enum error_code code, enum language language, const problems_t *problems)
{
    insist(code > ERROR_NONE && code < ERROR_CODES && (unsigned)language < LANGUAGES);
    buffer_add_string(out, "{\"success\":false,\"error\":{\"code\":");
    message_json_string(out, text_of(errors[code].code));
    buffer_add_string(out, ",\"message\":");
    message_json_string(out, text_of(errors[code].message[language]));
    buffer_add_string(out, ",\"details\":[");
    for (int i = 0; problems != NULL && i < problems->count; i++) {
        buffer_add_string(out, i ? ",{\"field\":" : "{\"field\":");
        message_json_string(out, problems->items[i].field);
        buffer_add_string(out, ",\"message\":");
        message_json_string(out, problem_sentence(problems->arena, &problems->items[i], language));
        buffer_add_char(out, '}');
    }
    buffer_add_string(out, "]}}");
}
