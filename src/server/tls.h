/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/server: certificate and key of a server that speaks TLS itself.
 *
 *     vt_tls_new("cert.pem", "key.pem", &tls, error);
 *     MHD_start_daemon(... MHD_OPTION_HTTPS_PRIORITIES, VT_TLS_PRIORITIES,
 *                      MHD_OPTION_HTTPS_CERT_CALLBACK, vt_tls_certificate ...);
 *     vt_tls_reload(tls, error);          // handshakes from here on get what the files hold now
 *     vt_tls_free(tls);                   // after the daemon
 *
 * One at a time in a process: the callback is given nothing to tell servers apart by.
 *
 * Threads: reload from one thread at a time, beside handshakes.
 */
#ifndef VT_SERVER_TLS_H
#define VT_SERVER_TLS_H

#include "base/status.h"

#include <gnutls/abstract.h>

/* TLS 1.2 and 1.3; the server's order of ciphers. */
#define VT_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

typedef struct vt_tls vt_tls;
/* PEM files: the certificate with those that lead to its root behind it, and its key, which others
 * must not be able to read. VT_ERR_FORMAT: no certificate, or no key without a password;
 * VT_ERR_MISMATCH: they do not belong together; VT_ERR_DENIED: the certificate is not valid now, or
 * the key is open to others; VT_ERR_BUSY: there is one already. */
vt_status vt_tls_new(const char *certificate_path, const char *key_path, vt_tls **out,
                     vt_error *error);
/* On failure everything stays as it was. */
vt_status vt_tls_reload(vt_tls *tls, vt_error *error);
void vt_tls_free(vt_tls *tls); /* NULL is fine */

/* A gnutls_certificate_retrieve_function2. */
int vt_tls_certificate(gnutls_session_t session, const gnutls_datum_t *authorities,
                       int authority_count, const gnutls_pk_algorithm_t *algorithms,
                       int algorithm_count, gnutls_pcert_st **chain, unsigned *chain_length,
                       gnutls_privkey_t *key);

#endif
