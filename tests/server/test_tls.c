/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys that may be used and those that may not; handshakes with a served shop. */
#include "server/client.h"

#include "server/identities.h"
#include "server/tls.h"

typedef struct secured {
    served *served;
    char certificate[SCRATCH_PATH_BYTES], key[SCRATCH_PATH_BYTES];
} secured;

static int secured_setup(void **state)
{
    secured *t = test_calloc(1, sizeof(*t));
    void *inner = NULL;
    if (served_setup(&inner) != 0)
        return -1;
    t->served = inner;
    snprintf(t->certificate, sizeof(t->certificate), "%s", at(t->served->journey, "cert.pem"));
    snprintf(t->key, sizeof(t->key), "%s", at(t->served->journey, "key.pem"));
    *state = t;
    return identity_make((identity_paths){t->certificate, t->key}, 7, -1, 30) ? 0 : -1;
}

static int secured_teardown(void **state)
{
    secured *t = *state;
    void *inner = t->served;
    served_teardown(&inner);
    test_free(t);
    return 0;
}

static identity_paths paths_of(const secured *t)
{
    return (identity_paths){t->certificate, t->key};
}

/* ---- files ---- */

static void expect_refusal(const secured *t, vt_status status, const char *text)
{
    vt_error error = {0};
    vt_tls *tls = NULL;
    expect_failure(vt_tls_new(t->certificate, t->key, &tls, &error), status, &error, text);
    assert_null(tls);
}

static void files_that_cannot_be_used_are_named(void **state)
{
    secured *t = *state;
    char other[SCRATCH_PATH_BYTES];
    snprintf(other, sizeof(other), "%s", at(t->served->journey, "other.pem"));
    assert_int_equal(chmod(t->key, 0644), 0);
    expect_refusal(t, VT_ERR_DENIED, "mode 644");
    assert_int_equal(chmod(t->key, 0660), 0);
    expect_refusal(t, VT_ERR_DENIED, "mode 660");
    assert_true(identity_make((identity_paths){other, t->key}, 8, -1, 30));
    expect_refusal(t, VT_ERR_MISMATCH, "not the certificate's");
    assert_true(identity_make(paths_of(t), 8, -30, -1));
    expect_refusal(t, VT_ERR_DENIED, "expired on 20");
    assert_true(identity_make(paths_of(t), 8, 2, 30));
    expect_refusal(t, VT_ERR_DENIED, "valid from 20");
    assert_true(identity_make(paths_of(t), 8, -1, 30));
    write_text(t->served->journey, "cert.pem", "no certificate\n");
    expect_refusal(t, VT_ERR_FORMAT, "cert.pem");
    write_text(t->served->journey, "cert.pem", "");
    expect_refusal(t, VT_ERR_FORMAT, "cert.pem");
    assert_true(identity_make(paths_of(t), 8, -1, 30));
    write_text(t->served->journey, "key.pem", "-----BEGIN PRIVATE KEY-----\nx\n");
    assert_int_equal(chmod(t->key, 0600), 0);
    expect_refusal(t, VT_ERR_FORMAT, "key.pem");
    unlink(t->key);
    expect_refusal(t, VT_ERR_NOT_FOUND, "key.pem");
    unlink(t->certificate);
    expect_refusal(t, VT_ERR_NOT_FOUND, "cert.pem");
}

static void a_reload_that_fails_changes_nothing(void **state)
{
    secured *t = *state;
    vt_error error = {0};
    vt_tls *tls = NULL, *second = NULL;
    gnutls_pcert_st *chain = NULL, *before = NULL;
    gnutls_privkey_t key = NULL;
    unsigned count = 0;
    assert_int_equal(chmod(t->key, 0640), 0); /* a group may read it */
    expect_ok(vt_tls_new(t->certificate, t->key, &tls, &error), &error);
    expect_failure(vt_tls_new(t->certificate, t->key, &second, &error), VT_ERR_BUSY, &error, "TLS");
    assert_int_equal(vt_tls_certificate(NULL, NULL, 0, NULL, 0, &before, &count, &key), 0);
    assert_int_equal(count, 1);
    assert_non_null(key);
    write_text(t->served->journey, "cert.pem", "nothing");
    expect_failure(vt_tls_reload(tls, &error), VT_ERR_FORMAT, &error, "cert.pem");
    assert_int_equal(vt_tls_certificate(NULL, NULL, 0, NULL, 0, &chain, &count, &key), 0);
    assert_ptr_equal(chain, before);
    assert_true(identity_make(paths_of(t), 9, -1, 30));
    expect_ok(vt_tls_reload(tls, &error), &error);
    assert_int_equal(vt_tls_certificate(NULL, NULL, 0, NULL, 0, &chain, &count, &key), 0);
    assert_ptr_not_equal(chain, before);
    vt_tls_free(tls);
    vt_tls_free(NULL);
    assert_int_not_equal(vt_tls_certificate(NULL, NULL, 0, NULL, 0, &chain, &count, &key), 0);
}

/* ---- handshakes ---- */

typedef struct talk {
    int result;      /* of the handshake; 0: good */
    int serial;      /* of the server's certificate */
    int version;     /* gnutls_protocol_t */
    char text[4096]; /* what was answered */
} talk;

static void ask_over(gnutls_session_t session, talk *out)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: close\r\n\r\n";
    size_t length = 0;
    ssize_t got;
    unsigned count = 0;
    unsigned char serial[8] = {0};
    size_t serial_bytes = sizeof(serial);
    gnutls_x509_crt_t certificate = NULL;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    assert_int_equal(gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER), 0);
    assert_int_equal(gnutls_x509_crt_get_serial(certificate, serial, &serial_bytes), 0);
    gnutls_x509_crt_deinit(certificate);
    out->serial = serial[serial_bytes - 1];
    out->version = (int)gnutls_protocol_get_version(session);
    assert_int_equal(gnutls_record_send(session, request, sizeof(request) - 1),
                     sizeof(request) - 1);
    while (length < sizeof(out->text) - 1 &&
           (got = gnutls_record_recv(session, out->text + length, sizeof(out->text) - 1 - length)) >
               0)
        length += (size_t)got;
}

static talk talk_to(const served *s, const char *priorities)
{
    talk out = {0};
    gnutls_session_t session = NULL;
    gnutls_certificate_credentials_t credentials = NULL;
    int fd = connect_to(s->port);
    assert_true(fd >= 0);
    assert_int_equal(gnutls_init(&session, GNUTLS_CLIENT), 0);
    assert_int_equal(gnutls_certificate_allocate_credentials(&credentials), 0);
    assert_int_equal(gnutls_priority_set_direct(session, priorities, NULL), 0);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(session, fd);
    do
        out.result = gnutls_handshake(session);
    while (out.result < 0 && gnutls_error_is_fatal(out.result) == 0);
    if (out.result == 0)
        ask_over(session, &out);
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    close(fd);
    return out;
}

static vt_server_options tls_options(const secured *t)
{
    vt_server_options options = server_options();
    options.tls_certificate = t->certificate;
    options.tls_key = t->key;
    return options;
}

static void shops_are_served_over_tls(void **state)
{
    secured *t = *state;
    vt_server_options options = tls_options(t);
    serve(t->served, &options);
    assert_int_equal(strncmp(vt_server_address(t->served->server), "https://127.0.0.1:", 18), 0);
    talk got = talk_to(t->served, "NORMAL");
    assert_int_equal(got.result, 0);
    assert_int_equal(got.version, GNUTLS_TLS1_3);
    assert_int_equal(got.serial, 7);
    assert_non_null(strstr(got.text, "HTTP/1.1 200 "));
    assert_non_null(strstr(got.text, "Strict-Transport-Security: max-age=31536000\r\n"));
    got = talk_to(t->served, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
    assert_int_equal(got.result, 0);
    assert_int_equal(got.version, GNUTLS_TLS1_2);
    got = talk_to(t->served, "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0:%COMPAT");
    assert_int_not_equal(got.result, 0);
    expect_status(ask_json(t->served, "GET", "/healthz", NULL), 0); /* plain words */
    got = talk_to(t->served, "NORMAL");
    assert_int_equal(got.result, 0);
}

static void certificates_are_replaced_while_serving(void **state)
{
    secured *t = *state;
    vt_server_options options = tls_options(t);
    vt_error error = {0};
    serve(t->served, &options);
    assert_true(identity_make(paths_of(t), 9, -1, 30));
    assert_int_equal(talk_to(t->served, "NORMAL").serial, 7);
    expect_ok(vt_server_reload(t->served->server, &error), &error);
    assert_int_equal(talk_to(t->served, "NORMAL").serial, 9);
    assert_true(identity_make(paths_of(t), 10, -30, -1));
    expect_failure(vt_server_reload(t->served->server, &error), VT_ERR_DENIED, &error, "expired");
    assert_int_equal(talk_to(t->served, "NORMAL").serial, 9);
}

static void half_of_it_is_refused_and_plain_servers_have_nothing_to_reload(void **state)
{
    secured *t = *state;
    vt_server_options options = tls_options(t);
    vt_error error = {0};
    vt_server *server = NULL;
    options.tls_key = NULL;
    expect_ok(vt_shop_open(t->served->journey->shop, VT_OPEN_READ, &t->served->shop, &error),
              &error);
    expect_failure(vt_server_start(t->served->shop, &options, &server, &error), VT_ERR_USAGE,
                   &error, "both");
    vt_shop_close(t->served->shop);
    options = server_options();
    serve(t->served, &options);
    expect_ok(vt_server_reload(t->served->server, &error), &error);
    reply got = ask_json(t->served, "GET", "/healthz", NULL);
    assert_null(strstr(vt_buf_text(&got.text), "Strict-Transport-Security"));
    expect_status(got, 200);
}

#define SECURED(test) cmocka_unit_test_setup_teardown(test, secured_setup, secured_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SECURED(files_that_cannot_be_used_are_named),
        SECURED(a_reload_that_fails_changes_nothing),
        SECURED(shops_are_served_over_tls),
        SECURED(certificates_are_replaced_while_serving),
        SECURED(half_of_it_is_refused_and_plain_servers_have_nothing_to_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
