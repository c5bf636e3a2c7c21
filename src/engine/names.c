/* SPDX-License-Identifier: Apache-2.0 */
/* Container names: docker's rule for given ones, and made-up ones of an adjective and a port of the
 * sea. */
#include "engine/private.h"

static const char *const adjectives[] = {
	"agile",  "amber",   "bold",   "brave",	 "bright", "brisk",  "calm",   "candid", "clear",
	"clever", "cosmic",  "crisp",  "daring", "deft",   "eager",  "early",  "easy",	 "exact",
	"fair",	  "fast",    "fleet",  "fond",	 "frank",  "fresh",  "gentle", "glad",	 "golden",
	"grand",  "happy",   "hardy",  "honest", "jolly",  "keen",   "kind",   "light",	 "lively",
	"lucid",  "lucky",   "mellow", "merry",	 "mild",   "modest", "neat",   "nimble", "noble",
	"open",	  "patient", "plain",  "polite", "prime",  "proud",  "quick",  "quiet",	 "rapid",
	"ready",  "robust",  "sharp",  "silent", "sleek",  "smooth", "snug",   "solid",	 "spry",
	"steady", "sunny",   "swift",  "tidy",	 "tough",  "true",   "vivid",  "warm",	 "wise",
	"witty",  "zesty",
};
static const char *const ports[] = {
	"aarhus",   "accra",  "aden",	 "agadir",  "algiers", "ancona",  "antwerp", "aveiro",
	"bari",	    "beirut", "bergen",	 "bilbao",  "bremen",  "brest",	  "busan",   "cadiz",
	"cairns",   "calais", "callao",	 "cardiff", "cork",    "dakar",	  "danang",  "darwin",
	"dover",    "dublin", "durban",	 "gdansk",  "geelong", "genoa",	  "gijon",   "hamburg",
	"havana",   "hobart", "houston", "izmir",   "kiel",    "kobe",	  "lagos",   "lima",
	"lisbon",   "luanda", "malaga",	 "malmo",   "manila",  "mersin",  "mobile",  "mumbai",
	"nantes",   "napier", "narvik",	 "odessa",  "oslo",    "osaka",	  "palma",   "perth",
	"piraeus",  "porto",  "recife",	 "riga",    "rouen",   "santos",  "seattle", "shanghai",
	"split",    "sydney", "tacoma",	 "tallinn", "tampa",   "trieste", "tunis",   "turku",
	"valencia", "varna",  "vigo",	 "yalta",   "yangon",  "zadar",
};

void name_generate(char dst[64])
{
	uint64_t r = random_u64();
	struct buf b = BUF_INIT(63);

	buf_addf(&b, "%s_%s", adjectives[r % ARRAY_LEN(adjectives)],
		 ports[(r >> 20) % ARRAY_LEN(ports)]);
	str_copy(dst, 64, buf_str(&b));
	buf_fini(&b);
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool name_valid(const char *s)
{
	size_t n = strlen(s);

	if (n < 2 || n > 255 || !is_alnum(s[0]))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!is_alnum(s[i]) && s[i] != '_' && s[i] != '.' && s[i] != '-')
			return false;
	return true;
}
