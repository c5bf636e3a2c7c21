/* SPDX-License-Identifier: Apache-2.0 */
/* What broke a connection, in words that say what to do. */
#include "crypto/tls-priv.h"

#include <openssl/err.h>

static const struct alert_row {
	int alert;
	const char *text;
} alerts[] = {
	{ SSL_AD_UNEXPECTED_MESSAGE, "it got a message that it did not expect" },
	{ SSL_AD_BAD_RECORD_MAC, "a record arrived damaged" },
	{ SSL_AD_RECORD_OVERFLOW, "a record was too long" },
	{ SSL_AD_HANDSHAKE_FAILURE, "no cipher or parameter is common to both sides" },
	{ SSL_AD_BAD_CERTIFICATE, "it does not like our certificate" },
	{ SSL_AD_UNSUPPORTED_CERTIFICATE, "our certificate is not for this use" },
	{ SSL_AD_CERTIFICATE_REVOKED, "our certificate has been revoked" },
	{ SSL_AD_CERTIFICATE_EXPIRED, "our certificate has expired; renew it" },
	{ SSL_AD_CERTIFICATE_UNKNOWN, "it does not accept our certificate" },
	{ SSL_AD_ILLEGAL_PARAMETER, "it got an illegal parameter" },
	{ SSL_AD_UNKNOWN_CA, "it does not trust the CA of our certificate" },
	{ SSL_AD_ACCESS_DENIED, "access is denied" },
	{ SSL_AD_DECODE_ERROR, "it could not read a message" },
	{ SSL_AD_DECRYPT_ERROR, "a signature did not verify" },
	{ SSL_AD_PROTOCOL_VERSION, "no version of TLS is common to both sides" },
	{ SSL_AD_INSUFFICIENT_SECURITY, "what we offer is too weak for it" },
	{ SSL_AD_INTERNAL_ERROR, "it has an internal error" },
	{ SSL_AD_USER_CANCELLED, "it gave up" },
	{ SSL_AD_MISSING_EXTENSION, "an extension is missing" },
	{ SSL_AD_UNRECOGNIZED_NAME, "it does not serve the name that was asked for" },
	{ TLS13_AD_CERTIFICATE_REQUIRED, "it wants a client certificate, and none was given" },
	{ SSL_AD_NO_APPLICATION_PROTOCOL,
	  "no application protocol (ALPN) is common to both sides" },
};

const char *tls_alert_text(int alert)
{
	for (size_t i = 0; i < ARRAY_LEN(alerts); i++) {
		if (alerts[i].alert == alert)
			return alerts[i].text;
	}
	return "it sent an alert that is not known here";
}

/* Trying again is of no use where it is a certificate that displeases. */
enum err_code tls_alert_code(int alert)
{
	static const int final[] = { SSL_AD_NO_CERTIFICATE,
				     SSL_AD_BAD_CERTIFICATE,
				     SSL_AD_UNSUPPORTED_CERTIFICATE,
				     SSL_AD_CERTIFICATE_REVOKED,
				     SSL_AD_CERTIFICATE_EXPIRED,
				     SSL_AD_CERTIFICATE_UNKNOWN,
				     SSL_AD_UNKNOWN_CA,
				     SSL_AD_ACCESS_DENIED,
				     TLS13_AD_CERTIFICATE_REQUIRED };

	for (size_t i = 0; i < ARRAY_LEN(final); i++) {
		if (final[i] == alert)
			return ERR_FORBIDDEN;
	}
	return ERR_UNAVAILABLE;
}

static const struct local_row {
	int reason;
	enum err_code code;
	const char *text;
} locals[] = {
	{ SSL_R_HTTP_REQUEST, ERR_BAD_REQUEST,
	  "a plain HTTP request came to a port for TLS; use https://" },
	{ SSL_R_HTTPS_PROXY_REQUEST, ERR_BAD_REQUEST,
	  "a plain proxy request came to a port for TLS; use https://" },
	{ SSL_R_WRONG_VERSION_NUMBER, ERR_BAD_REQUEST,
	  "the peer does not speak TLS (is it a port for plain HTTP?)" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, ERR_UNSUPPORTED,
	  "the peer offers no version of TLS that is allowed here (1.2 and 1.3)" },
	{ SSL_R_VERSION_TOO_LOW, ERR_UNSUPPORTED,
	  "the peer offers no version of TLS that is allowed here (1.2 and 1.3)" },
	{ SSL_R_NO_SHARED_CIPHER, ERR_UNSUPPORTED,
	  "no cipher is common to both sides, or none fits the certificate's key" },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, ERR_UNSUPPORTED, "no group is common to both sides" },
	{ SSL_R_NO_SHARED_GROUPS, ERR_UNSUPPORTED, "no group is common to both sides" },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, ERR_UNSUPPORTED,
	  "the peer takes no signature of our certificate's type" },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, ERR_UNAUTHORIZED,
	  "the client showed no certificate, and one is required" },
	{ SSL_R_NO_APPLICATION_PROTOCOL, ERR_UNSUPPORTED,
	  "the peer offers no application protocol (ALPN) of ours" },
	{ SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, ERR_BAD_REQUEST, "a record arrived damaged" },
	{ SSL_R_EE_KEY_TOO_SMALL, ERR_FORBIDDEN,
	  "the peer's certificate has a key that is too weak" },
	{ SSL_R_CA_MD_TOO_WEAK, ERR_FORBIDDEN,
	  "the peer's certificate is signed with a hash that is too weak" },
};

int tls_explain(struct tls *t, struct err *err)
{
	unsigned long e = ERR_peek_last_error();
	int reason = ERR_GET_LIB(e) == ERR_LIB_SSL ? ERR_GET_REASON(e) : 0;

	ERR_clear_error();
	if (t->why && (reason == SSL_R_CERTIFICATE_VERIFY_FAILED || reason == 0)) {
		*err = *t->why;
		return err_wrap(err, "TLS: %s",
				t->conf->server ? "the client's certificate"
						: "the server's certificate");
	}
	if (reason >= SSL_AD_REASON_OFFSET)
		return err_set(err, tls_alert_code(reason - SSL_AD_REASON_OFFSET),
			       "TLS: the peer refused: %s",
			       tls_alert_text(reason - SSL_AD_REASON_OFFSET));
	for (size_t i = 0; i < ARRAY_LEN(locals); i++) {
		if (locals[i].reason == reason)
			return err_set(err, locals[i].code, "TLS: %s", locals[i].text);
	}
	if (e && ERR_reason_error_string(e))
		return err_set(err, ERR_BAD_REQUEST, "TLS: %s", ERR_reason_error_string(e));
	return err_set(err, ERR_UNAVAILABLE, "TLS: the connection broke");
}
