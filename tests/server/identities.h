/* SPDX-License-Identifier: Apache-2.0 */
/* Self-made certificates with their keys, for the tests of src/server/tls.c. */
#ifndef VT_TESTS_SERVER_IDENTITIES_H
#define VT_TESTS_SERVER_IDENTITIES_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { IDENTITY_DAY_S = 86400 };

typedef struct identity_paths {
    const char *certificate, *key;
} identity_paths;

static inline bool identity_write(const char *path, const gnutls_datum_t *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    bool whole = fwrite(text->data, 1, text->size, file) == text->size;
    return fclose(file) == 0 && whole && chmod(path, mode) == 0;
}

/* For localhost, with this serial number, valid from so many days from now on to so many. */
static inline bool identity_make(identity_paths paths, unsigned char serial, int from_days,
                                 int to_days)
{
    gnutls_x509_privkey_t key = NULL;
    gnutls_x509_crt_t certificate = NULL;
    gnutls_datum_t key_text = {0}, text = {0};
    time_t now = time(NULL);
    bool made =
        gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_crt_init(&certificate) == 0 &&
        gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0 &&
        gnutls_x509_crt_set_version(certificate, 3) == 0 &&
        gnutls_x509_crt_set_serial(certificate, &serial, 1) == 0 &&
        gnutls_x509_crt_set_activation_time(certificate, now + from_days * IDENTITY_DAY_S) == 0 &&
        gnutls_x509_crt_set_expiration_time(certificate, now + to_days * IDENTITY_DAY_S) == 0 &&
        gnutls_x509_crt_set_dn(certificate, "CN=localhost", NULL) == 0 &&
        gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, "localhost", 9, 0) ==
            0 &&
        gnutls_x509_crt_set_key(certificate, key) == 0 &&
        gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0) == 0 &&
        gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &text) == 0 &&
        gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &key_text) == 0 &&
        identity_write(paths.certificate, &text, 0644) &&
        identity_write(paths.key, &key_text, 0600);
    gnutls_free(text.data);
    gnutls_free(key_text.data);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
    return made;
}

#endif
