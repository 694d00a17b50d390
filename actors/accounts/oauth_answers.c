/* oauth_answers: see oauth_answers.h. The forms are those of developers.kakao.com ("Retrieve user information") and
 * developers.naver.com ("Naver Login API reference"). */
#include "oauth_answers.h"
#include "crypto/foreign.h"

enum { ACCESS_TOKEN_MAX = 4096, ERROR_NAME_MAX = 64 };

static enum token_answer error_judge(text_t error)
{
    static const char *const of_client[] = {
        "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"};
    for (size_t i = 0; i < ARRAY_SIZE(of_client); i++)
        if (text_equal(error, text_of(of_client[i])))
            return ANSWER_CLIENT;
    return ANSWER_REFUSED;
}

enum token_answer token_answer_read(arena_t *arena, int status, text_t body, tokens_answer_t *out)
{
    *out = (tokens_answer_t){{0}};
    bool good = status == 200, refused = status == 400 || status == 401 || status == 403;
    foreign_t *json = good || refused ? foreign_read(body) : NULL;
    if (json == NULL)
        return ANSWER_BROKEN;
    text_t error = foreign_text(arena, json, "error", ERROR_NAME_MAX);
    if (good && error.data == NULL) {
        out->access_token = foreign_text(arena, json, "access_token", ACCESS_TOKEN_MAX);
        out->id_token = foreign_text(arena, json, "id_token", ID_TOKEN_MAX);
    }
    foreign_free(&json);
    if (error.data != NULL)
        return error_judge(error);
    return out->access_token.data != NULL || out->id_token.data != NULL ? ANSWER_TOKENS : ANSWER_BROKEN;
}

bool kakao_person_read(arena_t *arena, text_t body, id_token_t *out)
{
    *out = (id_token_t){.email_verified = false};
    foreign_t *json = foreign_read(body);
    const foreign_t *account = foreign_object(json, "kakao_account");
    out->subject = foreign_id(arena, json, "id", SUBJECT_MAX);
    out->email = foreign_text(arena, account, "email", EMAIL_MAX);
    out->name = foreign_text(arena, foreign_object(account, "profile"), "nickname", NAME_MAX);
    /* valid: it is still this person's; verified: it was once shown to be */
    out->email_verified = out->email.data != NULL && foreign_true(account, "is_email_valid") &&
                          foreign_true(account, "is_email_verified");
    foreign_free(&json);
    return out->subject.data != NULL;
}

bool naver_person_read(arena_t *arena, text_t body, id_token_t *out)
{
    *out = (id_token_t){.email_verified = false};
    foreign_t *json = foreign_read(body);
    const foreign_t *response = foreign_object(json, "response");
    bool good = text_equal(foreign_text(arena, json, "resultcode", 8), TEXT("00"));
    out->subject = foreign_text(arena, response, "id", SUBJECT_MAX);
    out->email = foreign_text(arena, response, "email", EMAIL_MAX);
    out->name = foreign_text(arena, response, "name", NAME_MAX);
    if (out->name.data == NULL)
        out->name = foreign_text(arena, response, "nickname", NAME_MAX);
    foreign_free(&json);
    return good && out->subject.data != NULL;
}
