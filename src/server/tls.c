/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS with libmicrohttpd, which is GnuTLS: certificate and key are read, held against each other
 * and against the clock here, and handed out handshake by handshake, so that new ones can take
 * their place while the server runs.
 *
 * A handshake borrows chain and key until it ends, and nothing says when that is: what a reload
 * replaces is kept until the server ends. That is some kilobytes per reload, a few times a year.
 */
#include "server/tls.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { CHAIN_MOST = 16, FILE_BYTES = 1 << 20, KEY_ID_BYTES = 32 };

/* One certificate with its chain and key. */
typedef struct identity {
    struct identity *replaced;
    gnutls_pcert_st chain[CHAIN_MOST];
    unsigned chain_length;
    gnutls_privkey_t key;
} identity;

struct vt_tls {
    char *certificate_path, *key_path;
    identity *current; /* the newest; those before hang behind it */
};

static pthread_mutex_t served_lock = PTHREAD_MUTEX_INITIALIZER; /* served, and its `current` */
static vt_tls *served;

/* ---- reading ---- */

static vt_status read_file(const char *path, const char *what, vt_buf *out, vt_error *error)
{
    vt_status status = vt_file_read(path, FILE_BYTES, out, error);
    return status == VT_OK ? status : vt_fail_context(error, status, "read the %s", what);
}

static gnutls_datum_t datum_of(const vt_buf *bytes)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)vt_buf_text(bytes),
                            (unsigned)bytes->length};
}

static void print_day(time_t when, char out[16])
{
    struct tm utc;
    if (gmtime_r(&when, &utc) == NULL || strftime(out, 16, "%Y-%m-%d", &utc) == 0)
        snprintf(out, 16, "some day");
}

static vt_status check_validity(gnutls_x509_crt_t certificate, const char *path, vt_error *error)
{
    time_t now = (time_t)(vt_clock_unix_ms() / 1000);
    time_t ends = gnutls_x509_crt_get_expiration_time(certificate);
    time_t begins = gnutls_x509_crt_get_activation_time(certificate);
    char day[16];
    if (ends == (time_t)-1 || begins == (time_t)-1)
        return vt_fail(error, VT_ERR_FORMAT,
                       "read certificate \"%s\": it does not say when it is "
                       "valid",
                       path);
    print_day(ends < now ? ends : begins, day);
    if (ends < now)
        return vt_fail(error, VT_ERR_DENIED, "use certificate \"%s\": it expired on %s", path, day);
    if (begins > now)
        return vt_fail(error, VT_ERR_DENIED, "use certificate \"%s\": it is valid from %s on", path,
                       day);
    return VT_OK;
}

/* The id of its public key: KEY_ID_BYTES. */
static vt_status take_chain(identity *out, const vt_buf *pem, const char *path,
                            unsigned char id[KEY_ID_BYTES], vt_error *error)
{
    gnutls_x509_crt_t *list = NULL;
    unsigned count = 0;
    size_t id_bytes = KEY_ID_BYTES;
    gnutls_datum_t bytes = datum_of(pem);
    int result = gnutls_x509_crt_list_import2(&list, &count, &bytes, GNUTLS_X509_FMT_PEM, 0);
    if (result < 0 || count == 0)
        return vt_fail(error, VT_ERR_FORMAT, "read certificate \"%s\": %s", path,
                       gnutls_strerror(result));
    vt_status status = check_validity(list[0], path, error);
    if (status == VT_OK && count > CHAIN_MOST)
        status = vt_fail(error, VT_ERR_LIMIT, "read certificate \"%s\": more than %d in one chain",
                         path, CHAIN_MOST);
    if (status == VT_OK) {
        result = gnutls_x509_crt_get_key_id(list[0], GNUTLS_KEYID_USE_SHA256, id, &id_bytes);
        out->chain_length = count;
        if (result == 0)
            result = gnutls_pcert_import_x509_list(out->chain, list, &out->chain_length, 0);
        if (result < 0) {
            out->chain_length = 0;
            status = vt_fail(error, VT_ERR_FORMAT, "read certificate \"%s\": %s", path,
                             gnutls_strerror(result));
        }
    }
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
    return status;
}

/* A key that others can read is nobody's secret. Groups may: that is how distributions share keys
 * with services. */
static vt_status check_mode(const char *path, vt_error *error)
{
    struct stat info;
    if (stat(path, &info) == 0 && (info.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        return vt_fail(error, VT_ERR_DENIED,
                       "use key \"%s\": others can get at it (mode %03o), 600 or 640 is needed",
                       path, (unsigned)info.st_mode & 0777);
    return VT_OK;
}

static vt_status fail_key(vt_error *error, const char *path, int result)
{
    return vt_fail(error, VT_ERR_FORMAT, "read key \"%s\": %s", path,
                   result == GNUTLS_E_DECRYPTION_FAILED
                       ? "it has a password, which is not supported"
                       : gnutls_strerror(result));
}

static vt_status take_key(identity *out, const vt_buf *pem, const char *path,
                          const unsigned char id[KEY_ID_BYTES], vt_error *error)
{
    gnutls_x509_privkey_t key = NULL;
    unsigned char own[KEY_ID_BYTES] = {0};
    size_t id_bytes = sizeof(own);
    gnutls_datum_t bytes = datum_of(pem);
    int result = gnutls_x509_privkey_init(&key);
    if (result < 0)
        return fail_key(error, path, result);
    result = gnutls_x509_privkey_import2(key, &bytes, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (result == 0)
        result = gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, own, &id_bytes);
    vt_status status = result < 0 ? fail_key(error, path, result) : VT_OK;
    if (status == VT_OK && memcmp(own, id, sizeof(own)) != 0)
        status =
            vt_fail(error, VT_ERR_MISMATCH, "use key \"%s\": it is not the certificate's", path);
    if (status == VT_OK && (result = gnutls_privkey_init(&out->key)) == 0) {
        result = gnutls_privkey_import_x509(out->key, key, GNUTLS_PRIVKEY_IMPORT_COPY);
        if (result < 0)
            status = fail_key(error, path, result);
    } else if (status == VT_OK) {
        status = fail_key(error, path, result);
    }
    gnutls_x509_privkey_deinit(key);
    return status;
}

static void free_identities(identity *one)
{
    while (one != NULL) {
        identity *before = one->replaced;
        for (unsigned i = 0; i < one->chain_length; i++)
            gnutls_pcert_deinit(&one->chain[i]);
        if (one->key != NULL)
            gnutls_privkey_deinit(one->key);
        vt_free(one);
        one = before;
    }
}

static vt_status load(const vt_tls *tls, identity *out, vt_error *error)
{
    unsigned char id[KEY_ID_BYTES] = {0};
    vt_buf certificate, key;
    vt_buf_init(&certificate, FILE_BYTES);
    vt_buf_init(&key, FILE_BYTES);
    vt_status status = read_file(tls->certificate_path, "certificate", &certificate, error);
    if (status == VT_OK)
        status = take_chain(out, &certificate, tls->certificate_path, id, error);
    if (status == VT_OK)
        status = check_mode(tls->key_path, error);
    if (status == VT_OK)
        status = read_file(tls->key_path, "key", &key, error);
    if (status == VT_OK)
        status = take_key(out, &key, tls->key_path, id, error);
    if (key.data != NULL)
        gnutls_memset(key.data, 0, key.capacity);
    vt_buf_deinit(&certificate);
    vt_buf_deinit(&key);
    return status;
}

/* ---- life ---- */

vt_status vt_tls_reload(vt_tls *tls, vt_error *error)
{
    identity *fresh = vt_calloc(1, sizeof(*fresh));
    if (fresh == NULL)
        return vt_fail_memory(error, "a certificate");
    vt_status status = load(tls, fresh, error);
    if (status != VT_OK) {
        free_identities(fresh);
        return status;
    }
    pthread_mutex_lock(&served_lock);
    fresh->replaced = tls->current;
    tls->current = fresh;
    pthread_mutex_unlock(&served_lock);
    return VT_OK;
}

static bool claim(vt_tls *tls)
{
    pthread_mutex_lock(&served_lock);
    bool free_yet = served == NULL;
    if (free_yet)
        served = tls;
    pthread_mutex_unlock(&served_lock);
    return free_yet;
}

vt_status vt_tls_new(const char *certificate_path, const char *key_path, vt_tls **out,
                     vt_error *error)
{
    vt_tls *tls = vt_calloc(1, sizeof(*tls));
    if (tls == NULL)
        return vt_fail_memory(error, "a certificate");
    tls->certificate_path = vt_strdup(certificate_path);
    tls->key_path = vt_strdup(key_path);
    vt_status status = tls->certificate_path == NULL || tls->key_path == NULL
                           ? vt_fail_memory(error, "a certificate")
                           : vt_tls_reload(tls, error);
    if (status == VT_OK && !claim(tls))
        status =
            vt_fail(error, VT_ERR_BUSY, "serve over TLS: a server of this process does already");
    if (status != VT_OK) {
        vt_tls_free(tls);
        return status;
    }
    *out = tls;
    return VT_OK;
}

void vt_tls_free(vt_tls *tls)
{
    if (tls == NULL)
        return;
    pthread_mutex_lock(&served_lock);
    if (served == tls)
        served = NULL;
    pthread_mutex_unlock(&served_lock);
    free_identities(tls->current);
    vt_free(tls->certificate_path);
    vt_free(tls->key_path);
    vt_free(tls);
}

int vt_tls_certificate(gnutls_session_t session, const gnutls_datum_t *authorities,
                       int authority_count, const gnutls_pk_algorithm_t *algorithms,
                       int algorithm_count, gnutls_pcert_st **chain, unsigned *chain_length,
                       gnutls_privkey_t *key)
{
    (void)session;
    (void)authorities;
    (void)authority_count;
    (void)algorithms;
    (void)algorithm_count;
    pthread_mutex_lock(&served_lock);
    identity *current = served != NULL ? served->current : NULL;
    pthread_mutex_unlock(&served_lock);
    if (current == NULL)
        return -1;
    *chain = current->chain;
    *chain_length = current->chain_length;
    *key = current->key;
    return 0;
}
