#!/usr/bin/env python3
"""The ABI of libsluice, read from include/sluice/*.h, in a form that other languages can use.

    python3 bindings/abi.py            writes bindings/abi.json and what is generated from it
    python3 bindings/abi.py --check    says which of these files are stale, and fails
    python3 bindings/abi.py --asserts  prints C that compiles only while abi.json and headers agree
    python3 bindings/abi.py --since FILE   says what programs built with that abi.json would miss, and fails

abi.json has constants, handles, structs (size and field offsets), callbacks and functions. A type is
told twice: as C has it ("type") and as it crosses a call ("abi": i32, u32, i64, u64, size, f64,
pointer, text, void; text is a NUL-terminated pointer to char). "blocks" is what a function's comment says
after "Blocks:": one that does not block may be called with an interpreter's lock held. A struct whose comment
says "Frozen." is an element of arrays and cannot grow; all others are passed with their size.

The reader understands the C that these headers are written in, and stops at anything else. Layouts are those
of LP64, where every scalar is aligned to its size; --asserts proves them with the compiler.
"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADERS = ROOT / "include" / "sluice"
JSON_FILE = ROOT / "bindings" / "abi.json"
PYTHON_FILE = ROOT / "bindings" / "python" / "sluice" / "_abi.py"
NODE_FILE = ROOT / "bindings" / "node" / "lib" / "abi.json"  # the same: a package carries its own

SCALARS = {"int": "i32", "int32_t": "i32", "uint32_t": "u32", "int64_t": "i64", "uint64_t": "u64",
           "size_t": "size", "double": "f64", "void": "void"}
SIZES = {"i32": 4, "u32": 4, "i64": 8, "u64": 8, "size": 8, "f64": 8, "pointer": 8, "text": 8}
CTYPES = {"i32": "c_int32", "u32": "c_uint32", "i64": "c_int64", "u64": "c_uint64",
          "size": "c_size_t", "f64": "c_double", "pointer": "c_void_p", "text": "c_char_p"}


def abi_of(c_type):
    """How a value of this C type crosses a call."""
    if c_type in SCALARS:
        return SCALARS[c_type]
    if c_type == "const char *":
        return "text"
    if c_type.endswith("*") or c_type == "sluice_log_fn":
        return "pointer"
    raise SystemExit(f"bindings/abi.py: no FFI knows the type '{c_type}'")


def split_declarator(text):
    """'const char *const *settings' -> ('const char *const *', 'settings', None or array length)"""
    match = re.fullmatch(r"(.*?[\s*])([A-Za-z_]\w*)(?:\[(\d+)\])?", text.strip(), re.S)
    if match is None:
        raise SystemExit(f"bindings/abi.py: not understood: '{text}'")
    c_type = re.sub(r"\s+", " ", match.group(1)).strip()
    return re.sub(r"\s*\*\s*(?!const)", " *", c_type).replace("* *", "**").strip(), match.group(2), \
        int(match.group(3)) if match.group(3) else None


def read_constants(body, constants):
    value = -1
    for item in filter(None, (item.strip() for item in body.split(","))):
        name, _, given = (part.strip() for part in item.partition("="))
        value = int(given, 0) if given else value + 1
        constants[name] = value


def read_struct(body):
    fields, at, widest = [], 0, 1
    for item in filter(None, (item.strip() for item in body.split(";"))):
        if "(*" in item:
            c_type, name, count = "void *", re.search(r"\(\*(\w+)\)", item).group(1), None
        else:
            c_type, name, count = split_declarator(item)
        field = {"name": name, "type": c_type}
        if count is not None and c_type == "char":
            field.update(abi="chars", offset=at, size=count)
            at += count
        else:
            field["abi"] = abi_of(c_type)
            size = SIZES[field["abi"]]
            at = (at + size - 1) // size * size
            widest = max(widest, size)
            field.update(offset=at, size=size)
            at += size
        fields.append(field)
    return {"size": (at + widest - 1) // widest * widest, "fields": fields}


def read_arguments(text):
    if text.strip() == "void":
        return []
    arguments = []
    for item in text.split(","):
        c_type, name, _ = split_declarator(item)
        arguments.append({"name": name, "type": c_type, "abi": abi_of(c_type)})
    return arguments


def read_functions(text, functions):
    """With their comments, which say whether a call blocks."""
    pattern = r"/\*((?:(?!\*/).)*)\*/\s*SLUICE_API\s+(SLUICE_MUST\s+)?([^;(]*?)(sluice_\w+)\(([^;]*)\);"
    for match in re.finditer(pattern, text, re.S):
        comment = re.sub(r"\s*\n \*\s*", " ", match.group(1))
        returns = re.sub(r"\s+", " ", match.group(3)).strip()
        functions[match.group(4)] = {
            "header": None, "returns": returns, "abi": abi_of(returns),
            "must": match.group(2) is not None,
            "blocks": not re.search(r"Blocks: no\b", comment),
            "arguments": read_arguments(match.group(5))}


def read_headers():
    abi = {"library": "sluice", "soname": "libsluice.so.0", "version": None, "model": "LP64", "constants": {},
           "handles": [], "structs": {}, "callbacks": {}, "functions": {}}
    for path in sorted(HEADERS.glob("*.h")):
        text = path.read_text(encoding="utf-8")
        known = set(abi["functions"])
        read_functions(text, abi["functions"])
        for name in abi["functions"].keys() - known:
            abi["functions"][name]["header"] = "sluice/" + path.name
        code = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        declared = set(re.findall(r"SLUICE_API[^;(]*?(sluice_\w+)\(", code)) - set(abi["functions"])
        if declared:
            raise SystemExit(f"bindings/abi.py: {path.name}: no comment right above {sorted(declared)}")
        version = re.search(r'#define SLUICE_VERSION "([^"]*)"', code)
        abi["version"] = version.group(1) if version else abi["version"]
        for body in re.findall(r"\benum\s*{([^}]*)}", code):
            read_constants(body, abi["constants"])
        for name, alias in re.findall(r"typedef struct (\w+) (\w+);", code):
            abi["handles"].append(alias)
        for body, name in re.findall(r"typedef struct\s*{([^}]*)}\s*(\w+);", code):
            abi["structs"][name] = read_struct(body)
        for comment, name in re.findall(r"/\*((?:(?!\*/).)*)\*/\s*typedef struct\s*{[^}]*}\s*(\w+);", text, re.S):
            abi["structs"][name]["frozen"] = bool(re.search(r"\bFrozen\.", comment))
        for name, arguments in re.findall(r"typedef void \(\*(\w+)\)\(([^;]*)\);", code):
            abi["callbacks"][name] = {"returns": "void", "arguments": read_arguments(arguments)}
    abi["functions"] = dict(sorted(abi["functions"].items()))
    return abi


def compact(abi):
    """JSON with a line a thing, so that a change is a line in a diff."""
    def block(name, rows, sep):
        return f' "{name}": {sep[0]}\n  ' + ",\n  ".join(rows) + f"\n {sep[1]}"
    parts = [f' "{key}": {json.dumps(value)}' for key, value in abi.items() if not isinstance(value, (dict, list))]
    parts.append(f' "handles": {json.dumps(abi["handles"])}')
    for key in ("constants", "callbacks", "functions"):
        parts.append(block(key, [f"{json.dumps(n)}: {json.dumps(v)}" for n, v in abi[key].items()], "{}"))
    rows = []
    for name, struct in abi["structs"].items():
        fields = ",\n   ".join(json.dumps(field) for field in struct["fields"])
        frozen = json.dumps(struct["frozen"])
        rows.append(f'{json.dumps(name)}: {{"size": {struct["size"]}, "frozen": {frozen}, "fields": [\n   {fields}]}}')
    parts.append(block("structs", rows, "{}"))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def camel(name):
    return "".join(word.capitalize() for word in name.removeprefix("sluice_").split("_"))


def python_source(abi):
    """The ctypes form: constants without SLUICE_, a Structure a struct, a row a function."""
    out = ['"""ctypes form of bindings/abi.json. Generated by bindings/abi.py; not to be edited."""',
           "from ctypes import (CDLL, Structure, c_char, c_char_p, c_double, c_int32, c_int64, c_size_t,",
           "                    c_uint32, c_uint64, c_void_p)", "from typing import Any, Callable, Dict, Tuple", "",
           f'VERSION = "{abi["version"]}"', f'SONAME = "{abi["soname"]}"', ""]
    kafka = {n: v for n, v in abi["constants"].items() if n.startswith("SLUICE_KAFKA_")}
    for name, value in abi["constants"].items():
        if name not in kafka:
            out.append(f'{name.removeprefix("SLUICE_")} = {value}')
    for name, struct in abi["structs"].items():
        out += ["", "", f"class {camel(name)}(Structure):"]
        out.append("    _fields_ = [")
        for field in struct["fields"]:
            kind = f"c_char * {field['size']}" if field["abi"] == "chars" else CTYPES[field["abi"]]
            out.append(f'        ("{field["name"]}", {kind}),')
        out.append("    ]")
    out += ["", "", "# name without sluice_: (result, arguments, whether it may block)",
            "FUNCTIONS: Dict[str, Tuple[Any, Tuple[Any, ...], bool]] = {"]
    for name, function in abi["functions"].items():
        # Texts that a program never keeps stay bytes; handles and buffers are addresses.
        result = "None" if function["abi"] == "void" else CTYPES[function["abi"]]
        kinds = ", ".join(CTYPES[argument["abi"]] for argument in function["arguments"])
        comma = "," if len(function["arguments"]) == 1 else ""
        out.append(f'    "{name.removeprefix("sluice_")}":')
        out.append(f'        ({result}, ({kinds}{comma}), {function["blocks"]}),')
    out += ["}", "", "", 'def bind(library: CDLL, name: str) -> Callable[..., Any]:',
            '    """The function sluice_NAME of a loaded library, with its prototype."""',
            '    function = library["sluice_" + name]  # a new object, so the prototype is this one\'s alone',
            "    function.restype, function.argtypes = FUNCTIONS[name][:2]",
            "    return function", ""]
    return "\n".join(out)


def c_asserts(abi):
    """C that compiles only while abi.json says what the headers say."""
    out = ['#include "sluice/kafka_errors.h"', '#include "sluice/sluice.h"', "",
           "#define SAME(what, value) _Static_assert((what) == (value), #what)"]
    out += [f"SAME({name}, {value});" for name, value in abi["constants"].items()]
    for name, struct in abi["structs"].items():
        out.append(f"SAME(sizeof({name}), {struct['size']});")
        for field in struct["fields"]:
            place = f"{name}, {field['name']}"
            out.append(f"SAME(offsetof({place}), {field['offset']});")
            out.append(f"SAME(sizeof((({name} *)0)->{field['name']}), {field['size']});")
    for name, function in abi["functions"].items():  # a second declaration must be compatible
        arguments = ", ".join(argument["type"] for argument in function["arguments"]) or "void"
        out.append(f"extern {function['returns']} {name}({arguments});")
    out.append(f'SAME(sizeof SLUICE_VERSION, sizeof "{abi["version"]}");')
    return "\n".join(out) + "\n"


# ---- against a release: what DESIGN.md's section on bindings promises ----

def signature(function):
    """What callers rely on; names of arguments are not among it."""
    return function["returns"], [argument["type"] for argument in function["arguments"]]


def struct_breaks(name, old, new):
    """Fields stay where they are; new ones come behind the old size, by which the library tells who knows them."""
    was = {field["name"]: field for field in old["fields"]}
    now = {field["name"]: field for field in new["fields"]}
    for field, there in was.items():
        here = now.get(field)
        if here is None:
            yield f"{name}.{field} is gone"
        elif (here["offset"], here["size"], here["abi"]) != (there["offset"], there["size"], there["abi"]):
            yield f"{name}.{field} is {here['abi']} at {here['offset']}, was {there['abi']} at {there['offset']}"
    for field in [now[field] for field in now if field not in was]:
        if old["frozen"]:
            yield f"{name}.{field['name']} is new, and the struct is frozen"
        elif field["offset"] < old["size"]:
            yield f"{name}.{field['name']} is new, and lies before the old end at {old['size']}"
    if new["size"] < old["size"] or (old["frozen"] and new["size"] != old["size"]):
        yield f"{name} has {new['size']} bytes, had {old['size']}"
    if new["frozen"] != old["frozen"]:
        yield f"{name} is {'frozen now' if new['frozen'] else 'frozen no more'}"


def breaks(old, new):
    """All that a program built with the old description would miss."""
    for kind in ("constants", "callbacks", "functions", "structs"):
        yield from (f"{name} is gone" for name in old[kind] if name not in new[kind])
    yield from (f"the handle {name} is gone" for name in old["handles"] if name not in new["handles"])
    for name, value in old["constants"].items():
        if new["constants"].get(name, value) != value:
            yield f"{name} is {new['constants'][name]}, was {value}"
    for kind in ("callbacks", "functions"):
        for name in old[kind].keys() & new[kind].keys():
            was, now = old[kind][name], new[kind][name]
            if signature(was) != signature(now):
                yield f"{name} is called in another way"
            if now.get("blocks") and not was.get("blocks"):
                yield f"{name} did not block, and does now"
    for name in old["structs"].keys() & new["structs"].keys():
        yield from struct_breaks(name, old["structs"][name], new["structs"][name])
    if new["soname"] != old["soname"]:
        yield f"the library is {new['soname']}, was {old['soname']}"


def main(arguments):
    abi = read_headers()
    made = {JSON_FILE: compact(abi), PYTHON_FILE: python_source(abi), NODE_FILE: compact(abi)}
    if arguments == ["--asserts"]:
        sys.stdout.write(c_asserts(json.loads(JSON_FILE.read_text(encoding="utf-8"))))
        return 0
    if arguments == ["--check"]:
        stale = [path for path, text in made.items()
                 if not path.exists() or path.read_text(encoding="utf-8") != text]
        for path in stale:
            print(f"{path.relative_to(ROOT)}:1: not what the headers say (python3 bindings/abi.py)")
        return 1 if stale else 0
    if len(arguments) == 2 and arguments[0] == "--since":
        found = sorted(breaks(json.loads(pathlib.Path(arguments[1]).read_text(encoding="utf-8")), abi))
        for what in found:
            print(f"{arguments[1]}:1: {what}")
        return 1 if found else 0
    if arguments:
        print(__doc__)
        return 2
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
