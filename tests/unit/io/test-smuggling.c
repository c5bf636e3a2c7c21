/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request smuggling and desynchronisation: messages of the published lists (CL.TE, TE.CL, TE.TE,
 * obs-fold, bare CR and LF, duplicate and odd lengths, chunk sizes and extensions, targets, hosts),
 * on the server's side and the client's. A row is refused with its status and the connection's end,
 * or read the one way that all read it; what is behind a refused message is never taken for a
 * request.
 */
#include "io-test.h"

#include <sys/un.h>
#include <sys/wait.h>

#define ROW(name, bytes, status, seen)                       \
	{                                                    \
		name, bytes, sizeof(bytes) - 1, status, seen \
	}

static const struct row {
	const char *name, *bytes;
	size_t n;
	int status;  /* of the first answer */
	size_t seen; /* requests that came to the handler */
} rows[] = {
	ROW("TE: CL.TE",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE.CL",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: "
	    "4\r\n\r\n5c\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: CL.0 and TE",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: xchunked",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: chunked twice in one",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: identity, chunked",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity, "
	    "chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: chunked, identity",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, "
	    "identity\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: gzip",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\nGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: cow",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
	    "cow\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: two lines",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: blank before colon",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: tab before colon",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: leading blank",
	    "POST / HTTP/1.1\r\nHost: h\r\nX: X\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: folded value",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: folded by tab",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: bare LF before",
	    "POST / HTTP/1.1\r\nHost: h\r\nX: X\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: bare CR before",
	    "POST / HTTP/1.1\r\nHost: h\r\nX: X\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: vertical tab",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0b"
	    "chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: form feed",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0c"
	    "chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: NUL in value",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\0\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: NUL in name",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer\0-Encoding: chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: quoted",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: single quoted",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: 'chunked'\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: trailing comma",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: leading comma",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: parameter",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: empty",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \r\n\r\n0\r\n\r\nGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: long s",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chun\xc4\xb8"
	    "ed\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: suffix NBSP",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\xc2\xa0\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: prefix NBSP",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \xc2\xa0"
	    "chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: DEL",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\x7f\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: backslash",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \\chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    501, 0),
	ROW("TE: name in brackets",
	    "POST / HTTP/1.1\r\nHost: h\r\n[Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: name with ;",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding;: chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: name with @",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer@Encoding: chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: high byte in name",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding\xa0: chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: no colon",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding chunked\r\n\r\n0\r\n\r\nGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE: colon first",
	    "POST / HTTP/1.1\r\nHost: h\r\n: Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("TE in HTTP/1.0",
	    "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("Transfer_Encoding is another header",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer_Encoding: chunked\r\nContent-Length: "
	    "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    200, 2),
	ROW("xTransfer-Encoding is another header",
	    "POST / HTTP/1.1\r\nHost: h\r\nxTransfer-Encoding: chunked\r\nContent-Length: "
	    "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    200, 2),
	ROW("cased TE is chunked",
	    "POST / HTTP/1.1\r\nHost: h\r\ntRANSFER-eNCODING: CHUNKED\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    200, 2),
	ROW("blanks around chunked",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \t chunked \t\r\n\r\n0\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    200, 2),
	ROW("CL: plus",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: minus",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: minus zero",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -0\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: hex",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: octal look",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0o5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: float",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5.0\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: exponent",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5e0\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: list same",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: list differ",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 0\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: inner blank",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5 5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: inner tab",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\t5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: underscore",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1_0\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: empty",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: blank",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:  \r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: letter",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: a\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: trailing letter",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5a\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: comma",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5,\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: leading comma",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ,5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: semicolon",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5;\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: quoted",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \"5\"\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: huge",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nhelloGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: 2^64",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551616\r\n\r\nhelloGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: 2^64+5",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551621\r\n\r\nhelloGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: 19 digits",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775808\r\n\r\nhelloGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: NUL",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\0\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: vertical tab",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \x0b"
	    "5\r\n\r\nhelloGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: full-width digit",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \xef\xbc\x95\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: arabic digit",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \xd9\xa5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL: DEL",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\x7f\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL twice, same",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhelloGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL twice, differ",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\nhelloGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL twice, cased",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\nhelloGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL, blank before colon",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL, folded",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n 5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL, leading blank",
	    "POST / HTTP/1.1\r\nHost: h\r\n Content-Length: 5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("CL, no blank",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    200, 2),
	ROW("CL, leading zeros",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0005\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    200, 2),
	ROW("CL on GET",
	    "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET /smuggled "
	    "HTTP/1.1\r\nHost: x\r\n\r\n",
	    200, 2),
	ROW("no CL on POST",
	    "POST / HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 200, 2),
	ROW("lines: bare LF everywhere",
	    "GET / HTTP/1.1\nHost: h\n\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("lines: bare LF after request line",
	    "GET / HTTP/1.1\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("lines: bare LF ends head",
	    "GET / HTTP/1.1\r\nHost: h\r\n\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("lines: CR CR LF",
	    "GET / HTTP/1.1\r\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("lines: LF CR",
	    "GET / HTTP/1.1\n\rHost: h\n\r\n\rGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("lines: bare CR in value",
	    "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("lines: bare CR in target",
	    "GET /\ra HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400,
	    0),
	ROW("lines: LF in target",
	    "GET /\na HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400,
	    0),
	ROW("lines: bare CR ends head",
	    "GET / HTTP/1.1\r\nHost: h\r\n\rGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("lines: NUL in value",
	    "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("lines: NUL in name",
	    "GET / HTTP/1.1\r\nHost: h\r\nX\0: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("lines: NUL in target",
	    "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("lines: NUL in method",
	    "G\0T / HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("lines: NUL first",
	    "\0GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("lines: two empty lines first",
	    "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("lines: LF first",
	    "\nGET / HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("lines: obs-fold",
	    "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: "
	    "x\r\n\r\n",
	    400, 0),
	ROW("lines: obs-fold of the first field",
	    "GET / HTTP/1.1\r\n Host: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("lines: empty name",
	    "GET / HTTP/1.1\r\nHost: h\r\n: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("lines: no colon",
	    "GET / HTTP/1.1\r\nHost: h\r\nabc\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("lines: blank in name",
	    "GET / HTTP/1.1\r\nHost: h\r\nX Y: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("lines: blank before colon",
	    "GET / HTTP/1.1\r\nHost : h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("lines: one empty line first",
	    "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 200,
	    2),
	ROW("request line: two blanks before target",
	    "GET  / HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: two blanks before version",
	    "GET /  HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: trailing blank",
	    "GET / HTTP/1.1 \r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: tab",
	    "GET\t/\tHTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: no version",
	    "GET /\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: HTTP/0.9",
	    "GET / HTTP/0.9\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 505, 0),
	ROW("request line: HTTP/2.0",
	    "GET / HTTP/2.0\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 505, 0),
	ROW("request line: HTTP/1.10",
	    "GET / HTTP/1.10\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: HTTP/1",
	    "GET / HTTP/1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: http/1.1",
	    "GET / http/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: HTTP /1.1",
	    "GET / HTTP /1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: HTTP/ 1.1",
	    "GET / HTTP/ 1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: HTTP/1,1",
	    "GET / HTTP/1,1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: HTTP/+1.1",
	    "GET / HTTP/+1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: method with brackets",
	    "G[]T / HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: method with colon",
	    "GET: / HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: fragment",
	    "GET /#a HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: target without slash",
	    "GET a HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: asterisk",
	    "GET * HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: backslash target",
	    "GET \\a HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("request line: authority for GET",
	    "GET h:80 HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400,
	    0),
	ROW("request line: ftp address",
	    "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("request line: user in address",
	    "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("request line: no host in address",
	    "GET http:///a HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("request line: CONNECT to a path",
	    "CONNECT / HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400,
	    0),
	ROW("Host: none", "GET / HTTP/1.1\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400,
	    0),
	ROW("Host: twice, same",
	    "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("Host: twice, differ",
	    "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 0),
	ROW("Host: blank inside",
	    "GET / HTTP/1.1\r\nHost: h i\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("Host: comma",
	    "GET / HTTP/1.1\r\nHost: h,i\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("Host: slash",
	    "GET / HTTP/1.1\r\nHost: h/a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("Host: at",
	    "GET / HTTP/1.1\r\nHost: u@h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("Host: question mark",
	    "GET / HTTP/1.1\r\nHost: h?a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("Host: fragment",
	    "GET / HTTP/1.1\r\nHost: h#a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("Host: backslash",
	    "GET / HTTP/1.1\r\nHost: h\\a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400,
	    0),
	ROW("Host: NUL",
	    "GET / HTTP/1.1\r\nHost: h\0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
	ROW("Host: tab inside",
	    "GET / HTTP/1.1\r\nHost: h\ti\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400,
	    0),
	ROW("absolute target wins over Host",
	    "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    200, 2),
	ROW("chunks: size overflow",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: "
	    "x\r\n\r\n",
	    400, 1),
	ROW("chunks: size of 17 digits",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n00000000000000005\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: "
	    "x\r\n\r\n",
	    400, 1),
	ROW("chunks: 0x prefix",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: plus",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: minus",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: leading blank",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n "
	    "5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: underscore",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n1_0\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: empty size",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: letter g",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\ng\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: bare LF after size",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n5\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: bare CR after size",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n5\rhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: no CRLF after data",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n5\r\nhello0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: bare LF after data",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n5\r\nhello\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: data longer than size",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: LF in extension",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: CR in extension",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: NUL in extension",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n5;a\0\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: NUL behind size",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n5\0\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: last chunk, bare LF",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n5\r\nhello\r\n0\n\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: trailer without colon",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n5\r\nhello\r\n0\r\nabc\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: "
	    "x\r\n\r\n",
	    400, 1),
	ROW("chunks: trailer folded",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: "
	    "b\r\n c\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: trailer with bare LF",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: "
	    "b\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: trailer with NUL",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: "
	    "b\0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: trailer, blank before colon",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA "
	    ": b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    400, 1),
	ROW("chunks: extension is passed over",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: "
	    "x\r\n\r\n",
	    200, 2),
	ROW("chunks: trailers do not become headers",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 50\r\nHost: evil\r\n\r\nGET "
	    "/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    200, 2),
	ROW("chunks: upper-case hex",
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    200, 2),
	ROW("Expect: other",
	    "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue, x\r\nContent-Length: "
	    "5\r\n\r\nhelloGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    417, 0),
	ROW("upgrade to h2c is not taken unasked",
	    "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "
	    "h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
	    200, 2),
	ROW("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 0),
};

static const struct answer {
	const char *name, *bytes;
	size_t n;
	bool good;
	const char *body;
} answers[] = {
	{ "CL and TE",
	  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	  sizeof("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n0\r\n\r\n") -
		  1,
	  false, "" },
	{ "CL twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nOK",
	  sizeof("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nOK") - 1, false,
	  "" },
	{ "CL list", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nOK",
	  sizeof("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nOK") - 1, false, "" },
	{ "CL plus", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nOK",
	  sizeof("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nOK") - 1, false, "" },
	{ "CL hex", "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nOK",
	  sizeof("HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nOK") - 1, false, "" },
	{ "CL overflow", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nOK",
	  sizeof("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nOK") - 1, false,
	  "" },
	{ "TE twice",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n0\r\n\r\n",
	  sizeof("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n0\r\n\r\n") -
		  1,
	  false, "" },
	{ "TE other", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	  sizeof("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n") - 1, false,
	  "" },
	{ "TE in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	  sizeof("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") - 1, false, "" },
	{ "obs-fold", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nOK",
	  sizeof("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nOK") - 1, false, "" },
	{ "blank before colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nOK",
	  sizeof("HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nOK") - 1, false, "" },
	{ "bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nOK",
	  sizeof("HTTP/1.1 200 OK\nContent-Length: 2\n\nOK") - 1, false, "" },
	{ "bare CR", "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nOK",
	  sizeof("HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nOK") - 1, false, "" },
	{ "NUL", "HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 2\r\n\r\nOK",
	  sizeof("HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 2\r\n\r\nOK") - 1, false, "" },
	{ "no version", "200 OK\r\n\r\n", sizeof("200 OK\r\n\r\n") - 1, false, "" },
	{ "HTTP/2", "HTTP/2 200 OK\r\n\r\n", sizeof("HTTP/2 200 OK\r\n\r\n") - 1, false, "" },
	{ "HTTP/0.9 body", "hello", sizeof("hello") - 1, false, "" },
	{ "status 99", "HTTP/1.1 099 OK\r\n\r\n", sizeof("HTTP/1.1 099 OK\r\n\r\n") - 1, false,
	  "" },
	{ "status 600", "HTTP/1.1 600 OK\r\n\r\n", sizeof("HTTP/1.1 600 OK\r\n\r\n") - 1, false,
	  "" },
	{ "status letters", "HTTP/1.1 2x0 OK\r\n\r\n", sizeof("HTTP/1.1 2x0 OK\r\n\r\n") - 1, false,
	  "" },
	{ "status of 4 digits", "HTTP/1.1 2000 OK\r\n\r\n", sizeof("HTTP/1.1 2000 OK\r\n\r\n") - 1,
	  false, "" },
	{ "101 unasked", "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
	  sizeof("HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n") - 1, false, "" },
	{ "chunk size overflow",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n10000000000000002\r\nOK\r\n0\r\n\r\n",
	  sizeof("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n10000000000000002\r\nOK\r\n0\r\n\r\n") -
		  1,
	  false, "" },
	{ "chunk, bare LF", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nOK\n0\n\n",
	  sizeof("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nOK\n0\n\n") - 1, false,
	  "" },
	{ "chunk data too long",
	  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nOK\r\n0\r\n\r\n",
	  sizeof("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nOK\r\n0\r\n\r\n") - 1,
	  false, "" },
	{ "cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nOK",
	  sizeof("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nOK") - 1, false, "" },
	{ "cut in a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nOK",
	  sizeof("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nOK") - 1, false, "" },
	{ "no colon", "HTTP/1.1 200 OK\r\nabc\r\n\r\n",
	  sizeof("HTTP/1.1 200 OK\r\nabc\r\n\r\n") - 1, false, "" },
	{ "length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
	  sizeof("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK") - 1, true, "OK" },
	{ "chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n",
	  sizeof("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n") - 1,
	  true, "OK" },
	{ "until close", "HTTP/1.1 200 OK\r\n\r\nOK", sizeof("HTTP/1.1 200 OK\r\n\r\nOK") - 1, true,
	  "OK" },
	{ "1xx before",
	  "HTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
	  sizeof("HTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
		 "2\r\n\r\nOK") -
		  1,
	  true, "OK" },
	{ "204 has no body", "HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n",
	  sizeof("HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n") - 1, true, "" },
	{ "more than announced is not the body",
	  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOKHTTP/1.1 200 OK\r\n\r\n",
	  sizeof("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOKHTTP/1.1 200 OK\r\n\r\n") - 1, true,
	  "OK" },
};

static void collected(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	struct env *e = arg;

	if (result < 0)
		return; /* the codec answers */
	if (strcmp(stream_request(s)->path, "/smuggled") == 0)
		e->ended++;
	stream_reply(s, 200, "text/plain", body.p, body.n);
}

static void serve(struct stream *s, void *arg)
{
	struct env *e = arg;

	e->sent++;
	/* Trailers and folded lines must not have changed who is asked. */
	assert_false(slice_is(stream_request(s)->host, "evil"));
	stream_collect(s, 65536, collected, e);
}

/* All at once, byte by byte, or in two pieces cut at `cut`. */
static void feed(struct env *e, int fd, const struct row *r, size_t cut)
{
	size_t step = cut == 1 ? 1 : cut ? cut : r->n;

	for (size_t i = 0; i < r->n; i += step) {
		if (send(fd, r->bytes + i, MIN(step, r->n - i), MSG_NOSIGNAL) < 0)
			return; /* refused before its end */
		while (loop_step(e->loop, 0, NULL) == 1)
			; /* a socketpair delivers at once */
	}
}

static void check_row(const struct row *r, size_t cut)
{
	struct env e = { 0 };
	CLEANUP(buf_fini) struct buf got = BUF_INIT(1 << 20);
	bool eof;
	char status[16];
	int fd;

	env_start(&e, serve);
	fd = connect_pair(&e);
	feed(&e, fd, r, cut);
	take(&e, fd, &got, &eof);
	snprintf(status, sizeof(status), "HTTP/1.1 %d ", r->status);
	if (strncmp(buf_str(&got), status, strlen(status)) != 0)
		fail_msg("%s (cut %zu): not %d but '%.200s'", r->name, cut, r->status,
			 buf_str(&got));
	if (e.sent != r->seen || e.ended != (r->seen == 2))
		fail_msg("%s (cut %zu): %zu requests, not %zu; smuggled: %d", r->name, cut, e.sent,
			 r->seen, e.ended);
	if (r->status != 200 && !eof)
		fail_msg("%s (cut %zu): refused, and the connection lives on", r->name, cut);
	close(fd);
	settle(&e);
	env_stop(&e);
}

static void server_reads_all_the_same_way_or_not_at_all(void **state)
{
	assert_true(ARRAY_LEN(rows) >= 100);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check_row(&rows[i], 0);
		check_row(&rows[i], 1);
		check_row(&rows[i], 7);
	}
}

/* ---- the client's side ---- */

/* A server in a process of its own: one answer, whatever is asked, then the end. */
static pid_t answer_with(int listener, const struct answer *a)
{
	pid_t pid = fork();
	char sink[4096];
	int fd;

	if (pid != 0)
		return pid;
	fd = accept(listener, NULL, NULL);
	if (fd < 0 || recv(fd, sink, sizeof(sink), 0) <= 0 ||
	    send(fd, a->bytes, a->n, MSG_NOSIGNAL) < 0)
		_exit(1);
	shutdown(fd, SHUT_WR);
	while (recv(fd, sink, sizeof(sink), 0) > 0)
		;
	_exit(0);
}

static void client_reads_all_the_same_way_or_not_at_all(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/teu-smuggling-XXXXXX", address[128];
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status;

	assert_non_null(mkdtemp(dir));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", dir);
	snprintf(address, sizeof(address), "unix://%s", sa.sun_path);
	assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(listener, 8), 0);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const struct answer *a = &answers[i];
		CLEANUP(http_answer_fini) struct http_answer got = HTTP_ANSWER_INIT;
		struct http_call call = { .target = "/", .time = 60 * NS_PER_SEC };
		struct http_client *cl;
		struct err err = ERR_INIT;
		pid_t pid = answer_with(listener, a);
		int r;

		assert_true(pid > 0);
		assert_int_equal(http_client_new(NULL, address, NULL, &cl, &err), 0);
		r = http_client_call(cl, &call, &got, &err);
		if ((r == 0) != a->good)
			fail_msg("answer '%s': %s", a->name, r == 0 ? "taken" : err.msg);
		if (r == 0)
			assert_string_equal(got.body.p, a->body);
		else
			assert_true(err.msg[0] != '\0');
		http_answer_fini(&got);
		http_client_free(cl);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	close(listener);
	unlink(sa.sun_path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_reads_all_the_same_way_or_not_at_all),
		cmocka_unit_test(client_reads_all_the_same_way_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
