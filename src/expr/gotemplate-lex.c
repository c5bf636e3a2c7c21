/* SPDX-License-Identifier: Apache-2.0 */
/* Words of templates: text, and what stands between {{ and }}. */
#include "base/arena.h"
#include "base/utf8.h"
#include "expr/go-text.h"
#include "expr/gotemplate-private.h"

#define END_OF_TEXT UINT32_MAX /* no code point */
#define TRIM_MARKER 2	       /* "- " and " -" */

static struct slice rest_of(const struct gt_lexer *l, size_t at)
{
	return at < l->in.n ? slice_of(l->in.p + at, l->in.n - at) : slice_of(l->in.p, 0);
}

static bool is_space(uint32_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(uint32_t c)
{
	if (c < 0x80)
		return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
	return c != END_OF_TEXT && (go_is_letter(c) || go_is_digit(c));
}

/* The code point at pos; its bytes. */
static uint32_t peek(const struct gt_lexer *l, size_t *ret_n)
{
	*ret_n = 0;
	return l->pos < l->in.n ? utf8_next(rest_of(l, l->pos), ret_n) : END_OF_TEXT;
}

static uint32_t peek_char(const struct gt_lexer *l)
{
	size_t n;

	return peek(l, &n);
}

static uint32_t next_char(struct gt_lexer *l)
{
	size_t n;
	uint32_t c = peek(l, &n);

	l->pos += n;
	return c;
}

/* What lies between start and pos is done with. */
static void skip(struct gt_lexer *l)
{
	for (; l->start < l->pos; l->start++)
		l->line += l->in.p[l->start] == '\n';
}

static struct gt_token emit(struct gt_lexer *l, enum gt_word word)
{
	struct gt_token t = { word, (uint32_t)l->start, l->line,
			      slice_of(l->in.p + l->start, l->pos - l->start) };

	skip(l);
	return t;
}

/* Nothing comes behind an error. */
static struct gt_token bad(struct gt_lexer *l, const char *message)
{
	struct gt_token t = { GT_ERROR, (uint32_t)l->start, l->line, slice_str(message) };

	l->in.n = l->pos = l->start = 0;
	return t;
}

/* %#U */
static struct gt_token bad_char(struct gt_lexer *l, const char *what, uint32_t c)
{
	char utf8[4];
	const char *message;

	if (c == END_OF_TEXT)
		message = arena_printf(l->a, "%s U+FFFFFFFFFFFFFFFF", what);
	else if (go_is_print(c))
		message = arena_printf(l->a, "%s U+%04X '%.*s'", what, c, (int)utf8_put(c, utf8),
				       utf8);
	else
		message = arena_printf(l->a, "%s U+%04X", what, c);
	return bad(l, message ? message : what);
}

/* ---- delimiters ---- */

static bool trims_left(struct slice s)
{
	return s.n >= 2 && *s.p == '-' && is_space((unsigned char)s.p[1]);
}

static bool trims_right(struct slice s)
{
	return s.n >= 2 && s.p[1] == '-' && is_space((unsigned char)*s.p);
}

static bool at_right_delim(const struct gt_lexer *l, size_t at, bool *trims)
{
	*trims = trims_right(rest_of(l, at)) &&
		 slice_starts(rest_of(l, at + TRIM_MARKER), SLICE("}}"));
	return *trims || slice_starts(rest_of(l, at), SLICE("}}"));
}

static void skip_space(struct gt_lexer *l)
{
	while (l->pos < l->in.n && is_space((unsigned char)l->in.p[l->pos]))
		l->pos++;
	skip(l);
}

/* From the slash of the opening; false: *ret is the error. */
static bool skip_comment(struct gt_lexer *l, struct gt_token *ret)
{
	struct slice s = rest_of(l, l->pos + 2);
	const char *end = s.n ? memmem(s.p, s.n, "*/", 2) : NULL;
	bool trims;

	if (!end) {
		*ret = bad(l, "unclosed comment");
		return false;
	}
	if (!at_right_delim(l, (size_t)(end + 2 - l->in.p), &trims)) {
		*ret = bad(l, "comment ends before closing delimiter");
		return false;
	}
	l->pos = (size_t)(end + 2 - l->in.p) + (trims ? TRIM_MARKER : 0) + 2;
	skip(l);
	if (trims)
		skip_space(l);
	return true;
}

/* The opening of an action, or a comment (false). */
static bool lex_left_delim(struct gt_lexer *l, struct gt_token *ret)
{
	size_t marker = trims_left(rest_of(l, l->pos + 2)) ? TRIM_MARKER : 0;
	struct slice s;

	l->pos += 2;
	s = rest_of(l, l->pos + marker);
	if (s.n >= 2 && s.p[0] == '/' && s.p[1] == '*') {
		l->pos += marker;
		skip(l);
		return !skip_comment(l, ret);
	}
	*ret = emit(l, GT_LEFT_DELIM);
	l->pos += marker;
	skip(l);
	l->inside = true;
	l->parens = 0;
	return true;
}

/* Text up to the next action, less the space that the action's marker trims; the opening itself
 * when there is none. */
static struct gt_token lex_text(struct gt_lexer *l)
{
	struct gt_token t;

	for (;;) {
		struct slice s = rest_of(l, l->pos);
		const char *delim = s.n ? memmem(s.p, s.n, "{{", 2) : NULL;
		size_t at = delim ? (size_t)(delim - l->in.p) : l->in.n;

		l->pos = at;
		if (delim && trims_left(rest_of(l, at + 2)))
			while (l->pos > l->start && is_space((unsigned char)l->in.p[l->pos - 1]))
				l->pos--;
		t = emit(l, GT_WORD_TEXT);
		l->pos = at;
		skip(l);
		if (t.text.n)
			return t;
		if (!delim)
			return emit(l, GT_EOF);
		if (lex_left_delim(l, &t))
			return t;
	}
}

static struct gt_token lex_right_delim(struct gt_lexer *l, bool trims)
{
	struct gt_token t;

	l->pos += trims ? TRIM_MARKER : 0;
	skip(l);
	l->pos += 2;
	t = emit(l, GT_RIGHT_DELIM);
	if (trims)
		skip_space(l);
	l->inside = false;
	return t;
}

/* ---- inside of an action ---- */

static struct gt_token lex_space(struct gt_lexer *l)
{
	bool trims = false;

	/* the last one belongs to " -}}" */
	while (l->pos < l->in.n && is_space((unsigned char)l->in.p[l->pos]) &&
	       !(at_right_delim(l, l->pos, &trims) && trims))
		l->pos++;
	return emit(l, GT_SPACE);
}

/* What may follow a name. */
static bool at_end_of_name(const struct gt_lexer *l)
{
	uint32_t c = peek_char(l);

	return c == END_OF_TEXT || is_space(c) || (c && c < 0x80 && strchr(".,|:)(", (int)c)) ||
	       slice_starts(rest_of(l, l->pos), SLICE("}}"));
}

static enum gt_word keyword(struct slice s)
{
	static const struct {
		const char *text;
		enum gt_word word;
	} words[] = {
		{ "block", GT_WORD_BLOCK },	  { "break", GT_WORD_BREAK },
		{ "continue", GT_WORD_CONTINUE }, { "define", GT_WORD_DEFINE },
		{ "else", GT_WORD_ELSE },	  { "end", GT_WORD_END },
		{ "false", GT_WORD_BOOL },	  { "if", GT_WORD_IF },
		{ "nil", GT_WORD_NIL },		  { "range", GT_WORD_RANGE },
		{ "template", GT_WORD_TEMPLATE }, { "true", GT_WORD_BOOL },
		{ "with", GT_WORD_WITH },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_is(s, words[i].text))
			return words[i].word;
	return GT_IDENTIFIER;
}

/* A name, a field or a variable, whose first character is read. */
static struct gt_token lex_name(struct gt_lexer *l, enum gt_word word)
{
	size_t n;
	uint32_t c;

	if (word != GT_IDENTIFIER && at_end_of_name(l))
		return emit(l, word == GT_WORD_FIELD ? GT_WORD_DOT : word);
	while (is_word(c = peek(l, &n)))
		l->pos += n;
	if (!at_end_of_name(l))
		return bad_char(l, "bad character", c);
	if (word == GT_IDENTIFIER)
		word = keyword(slice_of(l->in.p + l->start, l->pos - l->start));
	return emit(l, word);
}

/* What stands in quotes, the first of which is read. */
static struct gt_token lex_quoted(struct gt_lexer *l, char quote, enum gt_word word,
				  const char *unterminated)
{
	for (;;) {
		uint32_t c = next_char(l);

		if (c == (unsigned char)quote)
			return emit(l, word);
		if (c == '\\' && quote != '`')
			c = next_char(l);
		if (c == END_OF_TEXT || (c == '\n' && quote != '`'))
			return bad(l, unterminated);
	}
}

static bool accept(struct gt_lexer *l, const char *set)
{
	uint32_t c = peek_char(l);

	if (c == 0 || c >= 0x80 || !strchr(set, (int)c))
		return false;
	l->pos++;
	return true;
}

/* Not every form is told here: what is wrong, its reader sees. */
static bool scan_number(struct gt_lexer *l)
{
	const char *digits = "0123456789_", *exponent = "eE";

	(void)accept(l, "+-");
	if (accept(l, "0")) {
		exponent = "";
		if (accept(l, "xX")) {
			digits = "0123456789abcdefABCDEF_";
			exponent = "pP";
		} else if (accept(l, "oO")) {
			digits = "01234567_";
		} else if (accept(l, "bB")) {
			digits = "01_";
		} else {
			exponent = "eE";
		}
	}
	while (accept(l, digits))
		;
	if (accept(l, "."))
		while (accept(l, digits))
			;
	if (*exponent && accept(l, exponent)) {
		(void)accept(l, "+-");
		while (accept(l, "0123456789_"))
			;
	}
	(void)accept(l, "i");
	if (!is_word(peek_char(l)))
		return true;
	(void)next_char(l);
	return false;
}

static struct gt_token bad_number(struct gt_lexer *l)
{
	CLEANUP(buf_fini) struct buf quoted = BUF_INIT(512);
	const char *message;

	(void)go_quote(&quoted, slice_of(l->in.p + l->start, l->pos - l->start), false);
	message = arena_printf(l->a, "bad number syntax: %s", buf_str(&quoted));
	return bad(l, message ? message : "bad number syntax");
}

static struct gt_token lex_number(struct gt_lexer *l)
{
	uint32_t c;

	if (!scan_number(l))
		return bad_number(l);
	c = peek_char(l);
	if (c != '+' && c != '-')
		return emit(l, GT_WORD_NUMBER);
	if (!scan_number(l) || l->in.p[l->pos - 1] != 'i')
		return bad_number(l);
	return emit(l, GT_COMPLEX);
}

static struct gt_token lex_paren(struct gt_lexer *l, uint32_t c)
{
	if (c == '(') {
		l->parens++;
		return emit(l, GT_LEFT_PAREN);
	}
	if (l->parens == 0)
		return bad(l, "unexpected right paren");
	l->parens--;
	return emit(l, GT_RIGHT_PAREN);
}

static struct gt_token lex_inside(struct gt_lexer *l)
{
	bool trims;
	uint32_t c = peek_char(l), after;

	if (at_right_delim(l, l->pos, &trims))
		return l->parens ? bad(l, "unclosed left paren") : lex_right_delim(l, trims);
	if (c == END_OF_TEXT)
		return bad(l, "unclosed action");
	if (is_space(c))
		return lex_space(l);
	if (c == '+' || c == '-' || (c >= '0' && c <= '9'))
		return lex_number(l);
	(void)next_char(l);
	after = peek_char(l);
	switch (c) {
	case '=': return emit(l, GT_ASSIGN);
	case ':': return accept(l, "=") ? emit(l, GT_DECLARE) : bad(l, "expected :=");
	case '|': return emit(l, GT_WORD_PIPE);
	case '"': return lex_quoted(l, '"', GT_WORD_STRING, "unterminated quoted string");
	case '`': return lex_quoted(l, '`', GT_RAW_STRING, "unterminated raw quoted string");
	case '\'': return lex_quoted(l, '\'', GT_CHAR_CONSTANT, "unterminated character constant");
	case '$': return lex_name(l, GT_WORD_VARIABLE);
	case '.':
		if (after == END_OF_TEXT || (after >= '0' && after <= '9')) {
			l->pos--;
			return lex_number(l);
		}
		return lex_name(l, GT_WORD_FIELD);
	case '(':
	case ')': return lex_paren(l, c);
	default: break;
	}
	if (is_word(c))
		return lex_name(l, GT_IDENTIFIER);
	return c < 0x80 && go_is_print(c) ? emit(l, GT_CHAR)
					  : bad_char(l, "unrecognized character in action:", c);
}

struct gt_token gt_next(struct gt_lexer *l)
{
	return l->inside ? lex_inside(l) : lex_text(l);
}
