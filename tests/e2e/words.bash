# SPDX-License-Identifier: Apache-2.0
# The words that all end-to-end tests speak.

# prints WORDS: they are in the output of the last `run`.
prints() {
	[[ "$output" == *"$1"* ]] || { echo "'$1' is not in: $output"; return 1; }
}

# fails_with CODE WORDS COMMAND...: it must exit so and say so.
fails_with() {
	local code=$1 words=$2
	shift 2
	output=$("$@" 2>&1) && status=0 || status=$?
	[ "$status" -eq "$code" ] || { echo "status $status, wanted $code: $output"; return 1; }
	[[ "$output" == *"$words"* ]] || { echo "'$words' is not in: $output"; return 1; }
}

# until_ok COMMAND...: at most 20 s for it to succeed.
until_ok() {
	local i
	for i in $(seq 400); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	echo "still failing: $*"
	return 1
}

# gone PID: it has ended, also when nobody has waited for it yet.
gone() { ! kill -0 "$1" 2>/dev/null || grep -q "^State:.Z" "/proc/$1/status"; }
