# SPDX-License-Identifier: Apache-2.0
"""unicode.py OUT: the code points that Go's unicode package calls letters, digits and printable, as ranges."""
import sys
import unicodedata

CLASSES = {
    "letters": lambda category, c: category[0] == "L",
    "digits": lambda category, c: category == "Nd",
    "printable": lambda category, c: category[0] in "LMNPS" or c == 0x20,
}


def ranges(wanted):
    """The first and the last of each run."""
    begin = None
    for c in range(sys.maxunicode + 2):
        inside = c <= sys.maxunicode and wanted(unicodedata.category(chr(c)), c)
        if inside and begin is None:
            begin = c
        elif not inside and begin is not None:
            yield begin, c - 1
            begin = None


def main():
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write('#include "expr/go-text-private.h"\n')
        for name, wanted in CLASSES.items():
            found = list(ranges(wanted))
            out.write(f"const struct go_class go_{name} = {{ {len(found)}, {{\n")
            out.writelines(f"\t{{ {first:#x}, {last:#x} }},\n" for first, last in found)
            out.write("} };\n")


main()
