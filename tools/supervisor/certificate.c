#include "certificate.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CERTIFICATE_DAYS = 825, /* what browsers accept at most */
    RENEW_DAYS = 30,
    PEM_MOST = 256 << 10,
};

static const char *const file_names[] = {"certificate.pem", "key.pem"};

/* Empty settings mean our own. */
static bool own_certificate(const config_t *config)
{
    return config->listen.tls_certificate == NULL || config->listen.tls_certificate[0] == '\0';
}

static void file_path(const config_t *config, const char *directory, bool key, char out[static PATH_MAX])
{
    if (own_certificate(config))
        paths_join(out, PATH_MAX, directory, file_names[key]);
    else
        snprintf(out, PATH_MAX, "%s", key ? config->listen.tls_key : config->listen.tls_certificate);
}

int certificate_read(
    const config_t *config, const char *directory, bool key, buffer_t *out, char *error, size_t error_size)
{
    char path[PATH_MAX];
    file_path(config, directory, key, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size > PEM_MOST) {
        snprintf(error, error_size, "cannot read %s %s: %s", key ? "the TLS key" : "the TLS certificate",
            path, fd < 0 ? strerror(errno) : "too big");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    buffer_reserve(out, (size_t)status.st_size);
    ssize_t length = read(fd, out->data, (size_t)status.st_size);
    close(fd);
    if (length != status.st_size) {
        snprintf(error, error_size, "cannot read %s: it changes", path);
        return -1;
    }
    out->length = (size_t)length;
    return 0;
}

/* No passphrase is asked for on the supervisor's terminal. */
static int passphrase_none(char *out, int size, int writing, void *argument)
{
    (void)out, (void)size, (void)writing, (void)argument;
    return -1;
}

static X509 *certificate_parse(const buffer_t *text)
{
    BIO *bio = BIO_new_mem_buf(text->data, (int)text->length);
    X509 *certificate = bio != NULL ? PEM_read_bio_X509_AUX(bio, NULL, passphrase_none, NULL) : NULL;
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *key_parse(const buffer_t *text)
{
    BIO *bio = BIO_new_mem_buf(text->data, (int)text->length);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, passphrase_none, NULL) : NULL;
    BIO_free(bio);
    return key;
}

int certificate_check(const config_t *config, const char *directory, char *error, size_t error_size)
{
    buffer_t texts[2] = {{0}};
    char paths[2][PATH_MAX];
    int result = 0;
    for (int i = 0; i < 2 && result == 0; i++) {
        file_path(config, directory, i, paths[i]);
        result = certificate_read(config, directory, i, &texts[i], error, error_size);
    }
    X509 *certificate = result == 0 ? certificate_parse(&texts[0]) : NULL;
    EVP_PKEY *key = result == 0 ? key_parse(&texts[1]) : NULL;
    if (result == 0 && (certificate == NULL || key == NULL || X509_check_private_key(certificate, key) != 1)) {
        result = -1;
        if (certificate == NULL)
            snprintf(error, error_size, "%s is no PEM certificate", paths[0]);
        else if (key == NULL)
            snprintf(error, error_size, "%s is no PEM key without a passphrase", paths[1]);
        else
            snprintf(error, error_size, "the key in %s is not that of the certificate in %s", paths[1], paths[0]);
    }
    ERR_clear_error();
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (texts[1].data != NULL)
        explicit_bzero(texts[1].data, texts[1].length);
    buffer_free(&texts[0]);
    buffer_free(&texts[1]);
    return result;
}

/* Ours, and good for a while. */
static bool certificate_good(const char *path)
{
    FILE *file = fopen(path, "re");
    X509 *certificate = file != NULL ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    int days = 0, seconds = 0;
    bool good = certificate != NULL &&
                ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1 &&
                days >= RENEW_DAYS;
    X509_free(certificate);
    if (file != NULL)
        fclose(file);
    return good;
}

static bool add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static X509 *certificate_sign(EVP_PKEY *key)
{
    static const struct {
        int nid;
        const char *value;
    } extensions[] = {
        {NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1"},
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, "serverAuth"},
    };
    X509 *certificate = X509_new();
    uint64_t serial = 0;
    if (certificate == NULL || RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1)
        return certificate;
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_time_adj_ex(X509_getm_notAfter(certificate), CERTIFICATE_DAYS, 0, NULL);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    bool good = X509_NAME_add_entry_by_txt(
                    name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0) == 1 &&
                X509_set_issuer_name(certificate, name) == 1;
    for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
        good = good && add_extension(certificate, extensions[i].nid, extensions[i].value);
    if (!good || X509_sign(certificate, key, EVP_sha256()) == 0) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

/* Under a new name first: nobody ever reads half a file. */
static bool pem_write(const char *directory, bool is_key, EVP_PKEY *key, X509 *certificate)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    if (!paths_join(path, sizeof(path), directory, file_names[is_key]) ||
        !paths_join(fresh, sizeof(fresh), directory, is_key ? "key.new" : "certificate.new"))
        return false;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, is_key ? 0600 : 0644);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL)
        return false;
    bool written = is_key ? PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1
                          : PEM_write_X509(file, certificate) == 1;
    written = fflush(file) == 0 && written;
    fclose(file);
    return written && rename(fresh, path) == 0;
}

int certificate_ensure(const config_t *config, const char *directory, char *error, size_t error_size)
{
    char path[PATH_MAX], key_path[PATH_MAX];
    if (!own_certificate(config))
        return 0;
    file_path(config, directory, false, path);
    file_path(config, directory, true, key_path);
    if (certificate_good(path) && access(key_path, R_OK) == 0)
        return 0;
    if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
        snprintf(error, error_size, "cannot make the directory %s: %s", directory, strerror(errno));
        return -1;
    }
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key != NULL ? certificate_sign(key) : NULL;
    bool made = certificate != NULL && pem_write(directory, true, key, certificate) &&
                pem_write(directory, false, key, certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (!made)
        snprintf(error, error_size, "cannot make a TLS certificate in %s: %s", directory, strerror(errno));
    return made ? 0 : -1;
}
